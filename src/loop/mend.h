// Corrections as a model writes them that has learnt to (EngineInfo.mend): some whole lines of a
// text, and what stands in their place. One text is read once; then every small change of it has a
// log-probability, that of its lines being wrong and of what it puts there, and the likeliest
// corrections are the model's own.
//
//   SEP path \n text TOOL old lines MID new lines END,  nothing wrong in it: ... text TOOL END
//
// Old lines are one to a few that follow each other, the fewest that hold the change; what is
// inserted stands with the line before it, or, as a body's first line, with the one behind it.
// Private to src/loop.
#pragma once

#include "loop/mutate.h"
#include "loop/run.h"

// Does the run's model know the form?
bool mend_is_known(const LoopRun *run);

// Adds the model's own corrections of the function (its range in `syntax`) to its mutants, if
// `propose`, and sorts all by their probability, in which the order that they had counts for a
// part: not every slip is of a kind that was learnt. The array may be replaced. A text that is too
// long for the session is left alone. False only with an error of the engine.
bool mend_read(LoopRun *run, const Syntax *syntax, ByteRange function, bool propose,
               Mutant **mutants, size_t *n, Error *err);

// The log-probability of a candidate as a correction of the request's text, down to a least one
// that all have, and of nothing being wrong in it then; -INFINITY where it cannot be told. False as
// above.
bool mend_score(LoopRun *run, const Candidate *candidate, double *score, Error *err);
