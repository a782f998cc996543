// The harness writes one line for each thing found: "differs VERSION TEXT", "slip 0 TEXT",
// "inputs N -".
#include "loop/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/trial.h"

extern const char probe_python_start[];

enum { MAX_OUT_BYTES = 1 << 16, MAX_SHOWN = 160 };
static const double PROBE_MS = 15000;
static const char OUT_NAME[] = ".r1ls-probe.out";

// --- the harness ---------------------------------------------------------------------------------

void probe_put_json_string(StrBuf *out, Str s)
{
    strbuf_append_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c < 0x20)
            strbuf_printf(out, "\\u%04x", c);
        else
            strbuf_append_char(out, (char)c);
    }
    strbuf_append_char(out, '"');
}

static bool write_python(LoopRun *run, Scratch *scratch, const Str *versions, int n, int was)
{
    Error err = {0};
    StrBuf task = {0};
    strbuf_append(&task, STR("{\"path\": "));
    probe_put_json_string(&task, run->request->path);
    strbuf_append(&task, STR(", \"name\": "));
    probe_put_json_string(&task, run->task.name);
    strbuf_printf(&task, ", \"was\": %d, \"rivals\": [", was);
    bool ok = scratch_write(scratch, run->request->path, versions[0], &err);
    for (int i = 1; ok && i < n; i++) {
        Str name = arena_printf(run->arena, ".r1ls-rival-%d", i);
        strbuf_append(&task, i > 1 ? STR(", ") : STR(""));
        probe_put_json_string(&task, name);
        ok = scratch_write(scratch, name, versions[i], &err);
    }
    strbuf_append(&task, STR("]}"));
    ok = ok && scratch_write(scratch, STR(".r1ls-probe.json"), strbuf_str(&task), &err) &&
         scratch_write(scratch, STR("sitecustomize.py"), str_from(probe_python_start), &err);
    strbuf_deinit(&task);
    return ok;
}

static bool write_c(LoopRun *run, Scratch *scratch, const Str *versions, int n, int was)
{
    Error err = {0};
    // As the tests see it.
    const char *folder = trial_command(run, scratch_folder(scratch).ptr).folder;
    Str out = arena_printf(run->arena, "%s/%s", folder, OUT_NAME);
    Str text = probe_c_harness(syntax_language(run->request->syntax), run->task.name, versions, n,
                               was, out, run->arena);
    return text.len && scratch_write(scratch, run->request->path, text, &err);
}

// --- running -------------------------------------------------------------------------------------

static Str clip(Str s)
{
    return str_slice(s, 0, s.len < MAX_SHOWN ? s.len : MAX_SHOWN);
}

static void read_line(Probe *out, Str line, Arena *arena)
{
    size_t word = str_find(line, STR(" "), 0), number = str_find(line, STR(" "), word + 1);
    if (number >= line.len) return;
    int value = atoi(arena_str(arena, str_slice(line, word + 1, number)).ptr);
    Str text = arena_str(arena, clip(str_slice(line, number + 1, line.len)));
    if (str_starts(line, STR("inputs "))) {
        out->n_inputs = value > out->n_inputs ? value : out->n_inputs;
    } else if (str_starts(line, STR("differs ")) && value > 0 && value < PROBE_MAX_VERSIONS) {
        out->differs[value] = true;
        if (out->difference.len == 0) out->difference = text;
    } else if (str_starts(line, STR("slip ")) && out->slip.len == 0) {
        out->slip = text;
    } else if (str_starts(line, STR("same ")) && value >= 0 && value < PROBE_MAX_VERSIONS) {
        size_t blank = str_find(text, STR(" "), 0);
        out->n_same[value] = atoi(text.ptr);
        out->n_broken[value] = atoi(text.ptr + blank);
    }
}

static void read_report(const Scratch *scratch, Probe *out, Arena *arena)
{
    Error err = {0};
    Str path = arena_printf(arena, "%s/%s", scratch_folder(scratch).ptr, OUT_NAME);
    TextSnap *text = text_read_file(path.ptr, MAX_OUT_BYTES, &err);
    for (uint32_t row = 0; text && row < text_n_lines(text); row++)
        read_line(out, text_line(text, row), arena);
    text_release(text);
}

void probe_run(LoopRun *run, const Str *versions, int n, int was, Probe *out)
{
    Error err = {0};
    const char *lang = syntax_language(run->request->syntax)->id;
    bool python = strcmp(lang, "python") == 0, c = strcmp(lang, "c") == 0;
    *out = (Probe){0};
    if (!python && !c) return;
    Scratch *scratch = scratch_new(run->request->root, &err);
    loop_tell(run, "trying more inputs than its tests");
    bool ok = scratch && (python ? write_python(run, scratch, versions, n, was)
                                 : write_c(run, scratch, versions, n, was));
    Child child = {.out = -1};
    if (ok && trial_run(run, scratch, STR(TRIAL_PYTHON_HERE), PROBE_MS, &child))
        read_report(scratch, out, run->arena);
    child_free(&child);
    scratch_free(scratch);
}
