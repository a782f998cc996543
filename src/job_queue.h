// Lists of jobs, for jobs.c: whoever uses one guards it.
#pragma once

#include "jobs.h"

typedef struct JobQueue {
    Job *first, *last;
    int n;
} JobQueue;

void job_queue_push(JobQueue *queue, Job *job);
// The oldest, or NULL.
Job *job_queue_pop(JobQueue *queue);
// Moves the cancelled jobs to `out`, keeping the order of both.
void job_queue_sweep(JobQueue *queue, JobQueue *out);
