// Likeness of bodies, and the sum of the parts.
#include "tuning/reward.h"

#include <string.h>

enum { MAX_WORDS = 512 };

static size_t split(Str s, Str words[MAX_WORDS])
{
    size_t n = 0;
    for (size_t at = 0; at < s.len && n < MAX_WORDS;) {
        size_t end = at + 1;
        if (strchr(" \t\r\n", s.ptr[at])) {
            at = end;
            continue;
        }
        while (str_is_word_byte(s.ptr[at]) && end < s.len && str_is_word_byte(s.ptr[end]))
            end++;
        words[n++] = str_slice(s, at, end);
        at = end;
    }
    return n;
}

double reward_likeness(Str a, Str b)
{
    Str left[MAX_WORDS], right[MAX_WORDS];
    int length[MAX_WORDS + 1] = {0};
    size_t n = split(a, left), m = split(b, right);
    if (n + m == 0) return 1;
    for (size_t i = 0; i < n; i++) {
        int corner = 0; // the length before this row and column
        for (size_t j = 0; j < m; j++) {
            int above = length[j + 1];
            bool same = str_equal(left[i], right[j]);
            length[j + 1] = same ? corner + 1 : above > length[j] ? above : length[j];
            corner = above;
        }
    }
    return 2.0 * length[m] / (double)(n + m);
}

double reward_fullness(Str written, Str original)
{
    Str words[MAX_WORDS];
    size_t m = split(original, words), n = split(written, words);
    return 2 * n >= m ? 1 : 2.0 * (double)n / (double)m;
}

BodyReward reward_body(const Candidate *c, const char *flaw, bool has_tests, Str written,
                       Str original)
{
    BodyReward r = {.parses = !flaw && c->evidence.parse == VERDICT_PASS};
    r.compiles = r.parses && c->evidence.compile == VERDICT_PASS;
    r.passes = r.compiles && has_tests && c->tests == VERDICT_PASS;
    r.alike = r.compiles ? reward_likeness(written, original) : 0;
    r.full = r.compiles && reward_fullness(written, original) >= 1;
    r.sum = has_tests ? 0.05 * r.parses + r.full * (0.25 + 0.10 * r.alike) + 0.60 * r.passes
                      : 0.10 * r.parses + r.full * (0.30 + 0.60 * r.alike);
    return r;
}
