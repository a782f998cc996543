// Jobs themselves, and lists of them.
#include "job_queue.h"

#include <stdlib.h>

#include "base/mem.h"

Job *job_new(JobKind kind, void *owner)
{
    Job *job = mem_zero(sizeof *job);
    job->kind = kind;
    job->owner = owner;
    job->arena = arena_new();
    atomic_init(&job->cancelled, false);
    return job;
}

Job *job_new_complete(const CompleteRequest *like, void *owner)
{
    Job *job = job_new(JOB_COMPLETE, owner);
    Arena *arena = job->arena;
    ContextPiece *pieces = arena_array(arena, like->n_pieces + 1, sizeof *pieces);
    for (size_t i = 0; i < like->n_pieces; i++)
        pieces[i] = (ContextPiece){arena_str(arena, like->pieces[i].path),
                                   arena_str(arena, like->pieces[i].text)};
    job->complete = *like;
    job->complete.text = text_retain(like->text);
    job->complete.syntax = like->syntax ? syntax_retain(like->syntax) : NULL;
    job->complete.path = arena_str(arena, like->path);
    job->complete.selected = arena_str(arena, like->selected);
    job->complete.pieces = pieces;
    job->complete.begin = arena_str(arena, like->begin);
    Str *choices = arena_array(arena, like->n_choices + 1, sizeof *choices);
    for (size_t i = 0; i < like->n_choices; i++)
        choices[i] = arena_str(arena, like->choices[i]);
    job->complete.choices = choices;
    return job;
}

void job_free(Job *job)
{
    if (!job) return;
    text_release(job->complete.text);
    text_release(job->loop.text);
    if (job->complete.syntax) syntax_release(job->complete.syntax);
    if (job->loop.syntax) syntax_release(job->loop.syntax);
    if (job->surprise.syntax) syntax_release(job->surprise.syntax);
    arena_free(job->arena);
    free(job);
}

void job_cancel(Job *job)
{
    atomic_store(&job->cancelled, true);
}

void job_queue_push(JobQueue *queue, Job *job)
{
    job->next = NULL;
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    queue->n++;
}

Job *job_queue_pop(JobQueue *queue)
{
    Job *job = queue->first;
    if (!job) return NULL;
    queue->first = job->next;
    if (!queue->first) queue->last = NULL;
    queue->n--;
    job->next = NULL;
    return job;
}

void job_queue_sweep(JobQueue *queue, JobQueue *out)
{
    for (int n = queue->n; n > 0; n--) {
        Job *job = job_queue_pop(queue);
        job_queue_push(atomic_load(&job->cancelled) ? out : queue, job);
    }
}
