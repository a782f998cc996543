// A log of records in which each holds the hash of the one before, so that a changed, missing or
// reordered record is found. Knows lines, not what they say. Any thread, any number of processes:
// every call takes the folder's lock.
//
//   log:   SHA-256 of what follows the blank, a blank, and one JSON object; a line a record
//            {"number": 7, "previous": HASH of 6, "time": seconds, "run": BODY}
//          The first line of a log that was cut is an anchor: the number and hash of the last
//          record that is gone.
//            {"number": 5, "previous": HASH of 5, "time": seconds, "anchor": {...}}
//   head:  number and hash of the newest record, so that the end cannot go unnoticed
//
// A kill while a record is written leaves a line without its end: the next append cuts it off and
// says so in its own record ("torn": bytes). A kill before the head is written leaves a head that
// is one behind, which is no fault.
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"

typedef struct ChainLimits {
    size_t bytes;    // of the log; past it the oldest records are cut, down to three quarters
    int64_t seconds; // older records are cut; 0: never
} ChainLimits;

// What append did, and what it found on the way.
typedef struct ChainEnd {
    uint64_t number; // of the new record
    char hash[SHA256_HEX + 1];
    char note[160]; // what was wrong with the log and is now told in the record; "": nothing
} ChainEnd;

// Appends a record with the body, the text of a JSON object without line breaks, and cuts what is
// past the limits; the newest record always stays. The folder is made (0700) if it is missing.
// ERROR_IO: nothing was appended.
bool chain_append(Str folder, Str body, ChainLimits limits, ChainEnd *end, Error *err);

// The log as it is now, or NULL: none (ERROR_NOT_FOUND) or unreadable. The caller releases.
TextSnap *chain_read(Str folder, Error *err);

// One line of the log; slices of its text.
typedef struct ChainRecord {
    uint64_t number;
    int64_t time; // seconds since 1970
    Str hash, previous, text;
    Str body; // JSON; of an anchor, what it says
    bool is_anchor;
} ChainRecord;

// The record at *at, which then stands behind it. False at the end; a line that is no record has
// number 0 and its text alone. A line without its end is no line.
bool chain_next(Str log, size_t *at, ChainRecord *out);

// What verification found. Each fault names its record in one line.
typedef struct ChainReport {
    uint64_t first, last; // numbers of the records that are there; 0: none
    uint64_t n_records, n_cut, n_faults;
    char head[SHA256_HEX + 1]; // of the newest record
    Str faults;                // lines, in the arena
} ChainReport;

// Checks every byte. `known` (may be empty) is the hash of a record that has to be there, noted
// elsewhere: without it whoever can write the log can write another, whole one. False with
// ERROR_IO: it cannot be read. Faults are no error.
bool chain_verify(Str folder, Str known, Arena *arena, ChainReport *out, Error *err);
