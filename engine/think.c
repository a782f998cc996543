// Held-back bytes are few: a mark of eight bytes and what decides about it, the end of its line.
#include "think.h"

#include <string.h>

static const Str start_mark = {"<think>", 7}, end_mark = {"</think>", 8};

static int find_token(const Engine *engine, Str mark)
{
    int id = -1;
    if (engine_tokenize(engine, mark, true, &id, 1) != 1) return -1;
    return str_equal(engine_token_bytes(engine, id), mark) ? id : -1;
}

void think_init(ThinkStream *stream, const Engine *engine, ThinkState state)
{
    *stream = (ThinkStream){.state = state,
                            .start_id = find_token(engine, start_mark),
                            .end_id = find_token(engine, end_mark),
                            .at_start = state == THINK_UNDECIDED};
}

void think_deinit(ThinkStream *stream)
{
    strbuf_deinit(&stream->held);
    strbuf_deinit(&stream->given);
}

static bool is_quote(char c)
{
    return c == '\'' || c == '"' || c == '`';
}

static void drop(ThinkStream *s, size_t n)
{
    if (n == 0) return;
    memmove(s->held.ptr, s->held.ptr + n, s->held.len - n);
    s->held.len -= n;
}

// Moves the first n held bytes into the event's buffer.
static void give(ThinkStream *s, size_t n)
{
    if (n == 0) return;
    strbuf_append(&s->given, str_slice(strbuf_str(&s->held), 0, n));
    s->in_quotes = is_quote(s->held.ptr[n - 1]);
    drop(s, n);
}

// Length of the newlines that text starts with.
static size_t count_newlines(Str text)
{
    size_t n = 0;
    while (n < text.len && (text.ptr[n] == '\n' || text.ptr[n] == '\r'))
        n++;
    return n;
}

static bool is_prefix(Str text, Str mark)
{
    return text.len < mark.len && str_starts(mark, text);
}

// Is the mark at `at` an end? 1 yes, 0 no, -1: the next bytes will tell.
static int judge_end(const ThinkStream *s, size_t at, bool last)
{
    Str held = strbuf_str(&s->held);
    if (at ? is_quote(held.ptr[at - 1]) : s->in_quotes) return 0;
    size_t next = at + end_mark.len;
    while (next < held.len && (held.ptr[next] == ' ' || held.ptr[next] == '\t'))
        next++;
    if (next == held.len) return last ? 1 : -1;
    return held.ptr[next] == '\n' || held.ptr[next] == '\r';
}

static void end_thought(ThinkStream *s)
{
    s->state = THINK_ANSWER;
    s->at_start = true;
}

// The answer, without the newlines that follow the mark.
static ThinkEvent take_answer(ThinkStream *s, size_t from, bool ended)
{
    if (s->at_start) {
        size_t n = count_newlines(strbuf_str(&s->held));
        drop(s, n);
        s->at_start = s->held.len == 0;
    }
    give(s, s->held.len);
    Str all = strbuf_str(&s->given);
    return (ThinkEvent){str_slice(all, 0, from), str_slice(all, from, all.len), ended};
}

static ThinkEvent thought_so_far(ThinkStream *s)
{
    return (ThinkEvent){strbuf_str(&s->given), STR(""), false};
}

// A vocabulary without the token: the mark is looked for in the bytes.
static ThinkEvent take_spelled_thought(ThinkStream *s, bool last)
{
    for (size_t at = 0; at < s->held.len;) {
        Str rest = str_slice(strbuf_str(&s->held), at, s->held.len);
        int end = 0;
        if (str_starts(rest, end_mark))
            end = judge_end(s, at, last);
        else if (is_prefix(rest, end_mark) && !last)
            end = -1;
        if (end == 0) {
            at++;
            continue;
        }
        give(s, at);
        if (end < 0) return thought_so_far(s);
        size_t n = end_mark.len;
        while (n < s->held.len && (s->held.ptr[n] == ' ' || s->held.ptr[n] == '\t'))
            n++;
        drop(s, n);
        end_thought(s);
        return take_answer(s, s->given.len, true);
    }
    give(s, s->held.len);
    return thought_so_far(s);
}

static ThinkEvent take_thought(ThinkStream *s, bool last)
{
    if (s->at_start) {
        size_t n = count_newlines(strbuf_str(&s->held));
        drop(s, n);
        s->at_start = s->held.len == 0;
    }
    if (s->end_id < 0) return take_spelled_thought(s, last);
    give(s, s->held.len);
    return thought_so_far(s);
}

// The model's first bytes: a mark, perhaps after newlines, or else an answer.
static ThinkEvent take_undecided(ThinkStream *s, bool last)
{
    size_t blank = count_newlines(strbuf_str(&s->held));
    Str rest = str_slice(strbuf_str(&s->held), blank, s->held.len);
    if (s->start_id < 0 && str_starts(rest, start_mark)) {
        drop(s, blank + start_mark.len);
        s->state = THINK_THOUGHT;
        s->at_start = true;
        return take_thought(s, last);
    }
    bool open = rest.len == 0 || (s->start_id < 0 && is_prefix(rest, start_mark));
    if (open && !last) return (ThinkEvent){0};
    s->state = THINK_ANSWER;
    s->at_start = false;
    return take_answer(s, 0, false);
}

static ThinkEvent take(ThinkStream *s, bool last)
{
    if (s->state == THINK_UNDECIDED) return take_undecided(s, last);
    if (s->state == THINK_THOUGHT) return take_thought(s, last);
    return take_answer(s, 0, false);
}

ThinkEvent think_feed(ThinkStream *stream, int id, Str bytes)
{
    strbuf_clear(&stream->given);
    bool starts =
        stream->state == THINK_UNDECIDED && stream->start_id >= 0 && id == stream->start_id;
    bool ends = stream->state != THINK_ANSWER && stream->end_id >= 0 && id == stream->end_id;
    if (starts || ends) {
        stream->n_thought++;
        if (ends) return think_end(stream);
        strbuf_clear(&stream->held);
        stream->state = THINK_THOUGHT;
        stream->at_start = true;
        return (ThinkEvent){0};
    }
    strbuf_append(&stream->held, bytes);
    ThinkEvent event = take(stream, false);
    bool answer = stream->state == THINK_ANSWER && !event.ended;
    *(answer ? &stream->n_answer : &stream->n_thought) += 1;
    return event;
}

ThinkEvent think_finish(ThinkStream *stream)
{
    strbuf_clear(&stream->given);
    return take(stream, true);
}

ThinkEvent think_end(ThinkStream *stream)
{
    strbuf_clear(&stream->given);
    if (stream->state == THINK_ANSWER) return (ThinkEvent){0};
    give(stream, stream->held.len);
    end_thought(stream);
    return (ThinkEvent){strbuf_str(&stream->given), STR(""), true};
}

bool think_is_over_budget(const ThinkStream *stream, int budget)
{
    return stream->state == THINK_THOUGHT && stream->n_thought >= budget;
}
