// What a written body earns. One table; each part is in [0, 1].
//
//   part       with tests   without
//   parses        0.05        0.10    it is a body, and the file still parses
//   compiles      0.25        0.30    as the closed loop judges it
//   alike         0.10        0.60    the longest common sequence of its words and the original's
//   tests         0.60          -     the project's tests pass, which fail without the body
//
// The second and third are those of a body that has half of the original's words or more: one that
// says less earns what a body earns that does not compile, because a compiler alone teaches to
// write "return 0;". There is no reward for likeness without compiling.
#pragma once

#include "loop/loop.h"

typedef struct BodyReward {
    bool parses, compiles, passes;
    bool full; // it compiles and has half of the original's words or more
    double alike, sum;
} BodyReward;

// Of a candidate that was judged; flaw: what loop_question_read said. `written` and `original` are
// bodies.
BodyReward reward_body(const Candidate *candidate, const char *flaw, bool has_tests, Str written,
                       Str original);
// 2 L / (n + m) for the longest common sequence of L words of texts of n and m words, blanks aside
// and at most some hundreds of each.
double reward_likeness(Str a, Str b);
// min(1, 2 n / m) for texts of n and m words; 1 for an empty original.
double reward_fullness(Str written, Str original);
