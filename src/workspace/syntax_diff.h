// Where two trees of one document differ: what was found by queries elsewhere still holds. Pure
// functions for workers.
#pragma once

#include "workspace/syntax.h"

// `before` in the older text stands where `now` does in the newer one. Both consist of whole nodes,
// and outside of them the two have the same bytes and the same nodes.
typedef struct SyntaxDiff {
    ByteRange before, now;
} SyntaxDiff;

// Both of one language. Around what was edited lies a whole definition or statement at the top of
// the text or of a long body, with its neighbours.
SyntaxDiff syntax_diff(const Syntax *before, const Syntax *now);
// Everything is new.
SyntaxDiff syntax_diff_whole(const Syntax *now);
// Does a range of the older text lie within what is gone?
bool syntax_diff_drops(const SyntaxDiff *diff, ByteRange range);
// Does a range of the newer text lie within what is new?
bool syntax_diff_adds(const SyntaxDiff *diff, ByteRange range);
// Where a range of the older text that is not dropped lies in the newer one.
ByteRange syntax_diff_move(const SyntaxDiff *diff, ByteRange range);
