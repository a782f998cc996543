// Fingerprints, baselines, and the list itself; the forms are in cli_formats.c.
#include "cli_findings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FINGERPRINT_LEN = 16, MAX_BASELINE_BYTES = 64 << 20 };

void findings_init(Findings *f)
{
    *f = (Findings){.arena = arena_new(), .skipped = json_object_new_array()};
}

void findings_deinit(Findings *f)
{
    VEC_FREE(&f->all);
    VEC_FREE(&f->baseline);
    json_object_put(f->skipped);
    arena_free(f->arena);
}

// --- places --------------------------------------------------------------------------------------

// UTF-16 code units of the first n bytes of a line; a byte that is no UTF-8 counts as one.
static uint32_t count_utf16(Str line, uint32_t n)
{
    uint32_t units = 0;
    for (size_t i = 0; i < n && i < line.len;) {
        size_t len = str_utf8_len(str_slice(line, i, line.len));
        units += len == 4 ? 2 : 1;
        i += len ? len : 1;
    }
    return units;
}

static void set_place(Finding *out, const TextSnap *text, ByteRange range, Arena *arena)
{
    TextPoint start = text_point(text, range.start), end = text_point(text, range.end);
    out->line = start.row + 1;
    out->column = start.col_bytes + 1;
    out->end_line = end.row + 1;
    out->end_column = end.col_bytes + 1;
    out->column16 = count_utf16(text_line(text, start.row), start.col_bytes) + 1;
    out->end_column16 = count_utf16(text_line(text, end.row), end.col_bytes) + 1;
    struct json_object *json = cli_json_range(text, range);
    out->json_range =
        arena_str(arena, str_from(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN)));
    json_object_put(json);
}

// --- fingerprints --------------------------------------------------------------------------------

// The path below the working folder, so that a checkout elsewhere gives the same.
static Str short_path(Str path, Arena *arena)
{
    char folder[4096];
    while (str_starts(path, STR("./")))
        path = str_slice(path, 2, path.len);
    if (!str_starts(path, STR("/")) || !getcwd(folder, sizeof folder - 1)) return path;
    Str start = arena_printf(arena, "%s/", folder);
    return str_starts(path, start) ? str_slice(path, start.len, path.len) : path;
}

static void set_fingerprint(const Findings *f, Finding *out, Str line)
{
    Str path = short_path(out->path, f->arena);
    unsigned long long hash = str_hash(path, str_hash(out->rule, 0));
    hash = str_hash(str_trim(line), str_hash(out->message, hash));
    for (unsigned nth = 0; nth < UINT32_MAX; nth++) {
        char number[16];
        snprintf(number, sizeof number, "%u", nth);
        snprintf(out->fingerprint, sizeof out->fingerprint, "%016llx",
                 str_hash(str_from(number), hash));
        bool taken = false; // findings of one file stand together
        for (size_t i = f->all.n; !taken && i-- > 0 && str_equal(f->all.items[i].path, out->path);)
            taken = strcmp(f->all.items[i].fingerprint, out->fingerprint) == 0;
        if (!taken) return;
    }
}

static bool is_known(Findings *f, const Finding *finding)
{
    Str wanted = str_from(finding->fingerprint);
    for (size_t i = 0; i < f->baseline.n; i++)
        if (str_equal(f->baseline.items[i], wanted)) return true;
    return false;
}

// --- the list ------------------------------------------------------------------------------------

static Finding new_finding(Findings *f, Str rule, RuleSeverity severity, const char *path,
                           Str message)
{
    return (Finding){.rule = arena_str(f->arena, rule),
                     .severity = severity,
                     .path = arena_str(f->arena, str_from(path)),
                     .message = arena_str(f->arena, message)};
}

static FindingFix place_fix(const FindingFix *fix, const TextSnap *text, Arena *arena)
{
    TextPoint start = text_point(text, fix->range.start), end = text_point(text, fix->range.end);
    FindingFix placed = *fix;
    placed.insert = arena_str(arena, fix->insert);
    placed.line = start.row + 1;
    placed.end_line = end.row + 1;
    placed.column16 = count_utf16(text_line(text, start.row), start.col_bytes) + 1;
    placed.end_column16 = count_utf16(text_line(text, end.row), end.col_bytes) + 1;
    return placed;
}

void findings_add(Findings *f, const char *path, const TextSnap *text, const RuleFinding *found,
                  const FindingFix *fix)
{
    Finding finding = new_finding(f, found->rule, found->severity, path, found->message);
    if (fix->evidence) finding.fix = place_fix(fix, text, f->arena);
    set_place(&finding, text, found->range, f->arena);
    set_fingerprint(f, &finding, text_line(text, finding.line - 1));
    finding.known = is_known(f, &finding);
    f->n_known += finding.known;
    VEC_PUSH(&f->all, finding);
}

void findings_add_failure(Findings *f, const char *path, const char *why)
{
    Finding finding = new_finding(f, STR(FINDING_UNREADABLE), SEVERITY_ERROR, path, str_from(why));
    finding.failure = true;
    set_fingerprint(f, &finding, STR(""));
    VEC_PUSH(&f->all, finding);
    f->failed = true;
}

void findings_add_skipped(Findings *f, const char *path, const char *why)
{
    struct json_object *entry = json_object_new_object();
    json_object_object_add(entry, "file", cli_json_str(str_from(path)));
    json_object_object_add(entry, "why", cli_json_str(str_from(why)));
    json_object_array_add(f->skipped, entry);
}

// --- baselines -----------------------------------------------------------------------------------

static bool is_fingerprint(Str word)
{
    if (word.len != FINGERPRINT_LEN) return false;
    for (size_t i = 0; i < word.len; i++)
        if (!memchr("0123456789abcdef", word.ptr[i], 16)) return false;
    return true;
}

bool findings_read_baseline(Findings *f, const char *path, Error *err)
{
    TextSnap *text = text_read_file(path, MAX_BASELINE_BYTES, err);
    bool ok = text != NULL;
    for (uint32_t row = 0; ok && row < text_n_lines(text); row++) {
        Str line = str_trim(text_line(text, row));
        Str word = str_slice(line, 0, str_find(line, STR(" "), 0));
        if (word.len == 0 || word.ptr[0] == '#') continue;
        ok = is_fingerprint(word) ||
             error_set(err, ERROR_INVALID,
                       "%.160s:%u: '%.*s', wanted a fingerprint of 16 hexadecimal digits", path,
                       row + 1, (int)(word.len < 40 ? word.len : 40), word.ptr);
        if (ok) VEC_PUSH(&f->baseline, arena_str(f->arena, word));
    }
    text_release(text);
    return ok;
}

bool findings_write_baseline(const Findings *f, const char *path, Error *err)
{
    StrBuf out = {0};
    strbuf_append(&out, STR("# What r1ls check found and is not asked to report again.\n"));
    for (size_t i = 0; i < f->all.n; i++) {
        const Finding *x = &f->all.items[i];
        if (x->failure) continue;
        Str place = short_path(x->path, f->arena);
        strbuf_printf(&out, "%s %.*s:%u: %.*s\n", x->fingerprint, STR_FMT(place), x->line,
                      STR_FMT(x->message));
    }
    FILE *file = access(path, F_OK) == 0 ? NULL : fopen(path, "wx"); // cli_write_file replaces
    if (file) fclose(file);
    bool ok = cli_write_file(path, strbuf_str(&out), err);
    strbuf_deinit(&out);
    return ok;
}

Str findings_short_path(const Findings *f, const Finding *finding)
{
    return short_path(finding->path, f->arena);
}
