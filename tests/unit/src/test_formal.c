// The formal check: random programs of its subset against the compiler (test_prove.c: cases by
// hand).
//
// The differential test writes functions, compiles them with traps for undefined behaviour, and
// compares: where the model sees a violation the program traps, elsewhere both return the same.
// The compiler folds before it puts in its traps: (unsigned char)(a + b) is added without signs. So
// what it gets has every result in a place of its own, by KEEP; what stands between \1 and \2 is
// for the compiler only, between \2 and \3 for the model only. R1LS_FORMAL_SEED and
// R1LS_FORMAL_PROGRAMS make it another or a longer one.
#include "unit/formal_check.h"

#include <unistd.h>

#include "formal/translate.h"

// --- random programs -----------------------------------------------------------------------------

enum { N_PARAMS = 3, N_LOCALS = 3, N_ELEMENTS = 4, N_INPUTS = 24, MAX_DEPTH = 3 };
// What a function gets: parameters, an array, and a structure of a number, an array and a nested
// structure of two numbers.
enum { N_FIELDS = N_ELEMENTS + 3, N_NUMBERS = N_PARAMS + N_ELEMENTS + N_FIELDS };

typedef struct Writer {
    StrBuf out;
    uint64_t state;
    int n_loops, function, n_statements; // of a function's body
    bool only_variables;                 // two constants are folded without a trap
    bool wrote_constant;
} Writer;

static unsigned draw(Writer *w, unsigned n)
{
    w->state = w->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->state >> 33) % n;
}

static const char *const type_names[] = {"int",           "unsigned",       "int8_t", "uint8_t",
                                         "int16_t",       "unsigned short", "long",   "uint64_t",
                                         "unsigned char", "_Bool"};

static const char *draw_type(Writer *w)
{
    // int is what most code is written in.
    return draw(w, 3) == 0 ? "int" : type_names[draw(w, 10)];
}

static void write_leaf(Writer *w)
{
    static const char *const constants[] = {"0",  "1",    "2u",  "-1",        "7",          "255",
                                            "3L", "0x7f", "'a'", "31",        "2147483647", "10UL",
                                            "32", "true", "128", "0x80000000"};
    static const char *const members[] = {"s->x",    "l.x",    "o->a",        "o->b",
                                          "s->in.a", "l.in.b", "(*s).x",      "z.b",
                                          "s->t[1]", "l.t[2]", "s->t[p0 & 3]"};
    unsigned kind = w->only_variables ? 1 + draw(w, 5) : draw(w, 6);
    w->wrote_constant = kind == 0;
    switch (kind) {
    case 0:
        strbuf_printf(&w->out, "%s", constants[draw(w, 16)]);
        break;
    case 1:
        strbuf_printf(&w->out, "p%u", draw(w, N_PARAMS));
        break;
    case 2:
        strbuf_printf(&w->out, "v%u", draw(w, N_LOCALS));
        break;
    case 3:
        strbuf_printf(&w->out, "%s", members[draw(w, 11)]);
        break;
    case 4:
        strbuf_printf(&w->out, "q[(unsigned)v%u & 3]", draw(w, N_LOCALS));
        break;
    default:
        strbuf_printf(&w->out, "\1KEEP\2\3(a[%s])",
                      draw(w, 6)   ? draw(w, 2) ? "p0 & 3" : "p1 & 3"
                      : draw(w, 2) ? "v1 & 7"
                                   : "v2 & 7");
    }
}

static void write_expression(Writer *w, int depth)
{
    static const char *const operators[] = {"+",  "-", "*",  "/", "%",  "&",  "|",  "^",  "<<",
                                            ">>", "<", "<=", ">", ">=", "==", "!=", "&&", "||"};
    unsigned kind = depth >= MAX_DEPTH ? 0 : draw(w, 10);
    if (kind < 2) {
        write_leaf(w);
    } else if (kind < 7) {
        const char *op = operators[draw(w, 18)];
        bool shift = op[0] == op[1] && (op[0] == '<' || op[0] == '>');
        strbuf_append(&w->out, STR("\1KEEP\2\3("));
        write_expression(w, depth + 1);
        strbuf_printf(&w->out, " %s ", op);
        w->only_variables = w->wrote_constant;
        if (shift && draw(w, 4)) strbuf_append(&w->out, STR("7 & "));
        write_expression(w, depth + 1);
        w->only_variables = w->wrote_constant = false;
        strbuf_append_char(&w->out, ')');
    } else if (kind == 7) {
        static const char *const unary[] = {"-", "~", "!", "+"};
        strbuf_printf(&w->out, "\1KEEP\2\3(%s(", unary[draw(w, 4)]);
        write_expression(w, depth + 1);
        strbuf_append(&w->out, STR("))"));
    } else if (kind == 8) {
        strbuf_printf(&w->out, "(%s)\1KEEP\2\3(", draw_type(w));
        write_expression(w, depth + 1);
        w->wrote_constant = false;
        strbuf_append_char(&w->out, ')');
    } else if (draw(w, 2)) {
        strbuf_append(&w->out, STR("(\1KEEP\2\3("));
        write_expression(w, depth + 1);
        strbuf_append(&w->out, STR(") ? "));
        write_expression(w, depth + 1);
        strbuf_append(&w->out, STR(" : "));
        write_expression(w, depth + 1);
        strbuf_append_char(&w->out, ')');
    } else {
        strbuf_printf(&w->out, "h%d(", w->function);
        write_expression(w, depth + 1);
        strbuf_append(&w->out, STR(", "));
        write_expression(w, depth + 1);
        strbuf_append_char(&w->out, ')');
    }
}

static void write_block(Writer *w, int depth);

// Structures as wholes, by pointers to a part, and an index that changes with its use.
static void write_whole(Writer *w)
{
    switch (draw(w, 7)) {
    case 0:
        strbuf_append(&w->out, STR("l = *s;\n"));
        break;
    case 1:
        strbuf_append(&w->out, STR("*s = l;\n"));
        break;
    case 2:
        strbuf_append(&w->out, STR("s->in = z;\n"));
        break;
    case 3:
        strbuf_append(&w->out, STR("z = *o;\n"));
        break;
    case 4:
        strbuf_printf(&w->out, "b%d(%s, v%u, z);\n", w->function, draw(w, 2) ? "&s->in" : "o",
                      draw(w, N_LOCALS));
        break;
    case 5:
        strbuf_printf(&w->out, "s->t[s->x++ & 3] = v%u;\n", draw(w, N_LOCALS));
        break;
    default:
        strbuf_printf(&w->out, "v%u = g%d(s->t, p%u & 3);\n", draw(w, N_LOCALS), w->function,
                      draw(w, 2));
    }
}

static void write_assignment(Writer *w)
{
    static const char *const operators[] = {"", "", "", "+", "-", "*", "^", "|", ">>"};
    const char *op = operators[draw(w, 9)];
    static const char *const members[] = {"s->x",    "l.x",         "o->a",          "o->b",
                                          "s->in.b", "l.t[p1 & 3]", "s->t[p%u & 3]", "z.a"};
    char target[40];
    unsigned kind = draw(w, 7), number = draw(w, N_LOCALS);
    if (draw(w, 8) == 0) {
        write_whole(w);
        return;
    }
    if (draw(w, 6) == 0) {
        strbuf_printf(&w->out, "v%u%s;\n", draw(w, 2), draw(w, 2) ? "++" : "--");
        return;
    }
    snprintf(target, sizeof target,
             kind < 3    ? "v%u"
             : kind == 3 ? "a[p%u & 3]"
             : kind == 4 ? "q[(unsigned)p%u %% 4]"
                         : members[draw(w, 8)],
             number);
    strbuf_printf(&w->out, "%s ", target);
    if (op[0])
        strbuf_printf(&w->out, "\1= KEEP(%s %s (\2%s= \3", target, op, op);
    else
        strbuf_append(&w->out, STR("= "));
    write_expression(w, 1);
    strbuf_append(&w->out, op[0] ? STR("\1))\2\3;\n") : STR(";\n"));
}

static void write_loop(Writer *w, int depth)
{
    int i = w->n_loops++;
    unsigned kind = draw(w, 3);
    if (kind == 0) {
        strbuf_printf(&w->out, "for (int i%d = 0; i%d < %u; i%d++) {\n", i, i, draw(w, 4) + 1, i);
        write_block(w, depth + 1);
        strbuf_printf(&w->out, "if (v0 == i%d) %s;\n}\n", i, draw(w, 2) ? "break" : "continue");
    } else if (kind == 1) {
        strbuf_printf(&w->out, "int i%d = 0;\nwhile (i%d < 3 && v1 > i%d) {\ni%d++;\n", i, i, i, i);
        write_block(w, depth + 1);
        strbuf_append(&w->out, STR("}\n"));
    } else {
        strbuf_printf(&w->out, "int i%d = 0;\ndo {\n", i);
        write_block(w, depth + 1);
        strbuf_printf(&w->out, "if (v2 < 0) continue;\n} while (++i%d < 3);\n", i);
    }
}

static void write_switch(Writer *w, int depth)
{
    strbuf_append(&w->out, STR("switch ("));
    write_expression(w, 2);
    strbuf_append(&w->out, STR(") {\n"));
    for (unsigned k = 0; k < 3; k++) {
        strbuf_printf(&w->out, "case %u:\n", k * 2);
        write_block(w, depth + 1);
        if (draw(w, 3)) strbuf_append(&w->out, STR("break;\n"));
        if (k == 1 && draw(w, 2)) strbuf_append(&w->out, STR("default:\nv0 = 1;\n"));
    }
    strbuf_append(&w->out, STR("}\n"));
}

static void write_statement(Writer *w, int depth)
{
    unsigned kind = depth >= 3 ? 0 : draw(w, 12);
    if (kind < 5) {
        write_assignment(w);
    } else if (kind < 8) {
        strbuf_append(&w->out, STR("if ("));
        write_expression(w, 1);
        strbuf_append(&w->out, STR(") {\n"));
        write_block(w, depth + 1);
        strbuf_append(&w->out, STR("} else {\n"));
        write_block(w, depth + 1);
        strbuf_append(&w->out, STR("}\n"));
    } else if (kind < 10) {
        write_loop(w, depth);
    } else if (kind == 10) {
        write_switch(w, depth);
    } else {
        strbuf_append(&w->out, STR("if ("));
        write_expression(w, 1);
        strbuf_append(&w->out, STR(") return "));
        write_expression(w, 1);
        strbuf_append(&w->out, STR(";\n"));
    }
}

static void write_block(Writer *w, int depth)
{
    for (unsigned i = 0, n = 1 + draw(w, 2); i < n; i++)
        write_statement(w, depth);
}

// The structures of function k, and functions that get parts of them. Returns what the driver
// needs: the types of x and t, a and b.
static void write_structures(Writer *w, int k, const char *types[4])
{
    for (int i = 0; i < 4; i++)
        do
            types[i] = draw_type(w);
        while (i == 1 && strcmp(types[i], "_Bool") == 0);
    strbuf_printf(&w->out,
                  "struct in%d { %s a; %s b; };\n"
                  "typedef struct s%d { %s x, t[%d]; struct in%d in; } S%d;\n",
                  k, types[2], types[3], k, types[1], N_ELEMENTS, k, k);
    types[0] = types[1];
    strbuf_printf(&w->out,
                  "static void b%d(struct in%d *p, int v, struct in%d y)\n"
                  "{\np->a = v;\ny.a ^= 1;\nif (v > 3) p->b = y.a;\n}\n"
                  "static int g%d(const %s *p, int i)\n{\nreturn p[i];\n}\n",
                  k, k, k, k, types[1]);
}

static void write_function(Writer *w, int k)
{
    const char *fields[4];
    const char *types[N_PARAMS], *element = draw(w, 2) ? "int" : "uint8_t";
    w->function = k;
    write_structures(w, k, fields);
    strbuf_printf(&w->out, "static %s h%d(%s x, %s y)\n{\nif (x > y) return x;\nreturn y ^ 1;\n}\n",
                  draw_type(w), k, draw_type(w), draw_type(w));
    strbuf_printf(&w->out, "%s f%d(", draw_type(w), k);
    for (int i = 0; i < N_PARAMS; i++) {
        types[i] = i < 2 && draw(w, 2) ? "int" : draw_type(w);
        strbuf_printf(&w->out, "%s p%d, ", types[i], i);
    }
    strbuf_printf(&w->out, "%s q[%d], %s%d *s)\n{\n", element, N_ELEMENTS,
                  draw(w, 2) ? "struct s" : "S", k);
    strbuf_printf(&w->out, "S%d l = *s;\nstruct in%d z = {%s}, *o = &%s;\n", k, k,
                  draw(w, 2) ? ".b = 3" : "1", draw(w, 2) ? "s->in" : "l.in");
    for (int i = 0; i < N_LOCALS; i++)
        strbuf_printf(&w->out, "%s v%d = p%d;\n", i == 2 ? "int" : draw_type(w), i, i);
    if (draw(w, 3) == 0)
        strbuf_printf(&w->out, "const %s *r = q;\nr++;\nv0 ^= r - q;\nv1 = r[1];\n", element);
    strbuf_printf(&w->out, "%s a[%d] = {1, 2, p0};\n", draw_type(w), N_ELEMENTS);
    for (int i = 0; i < w->n_statements; i++)
        write_statement(w, 0);
    strbuf_append(&w->out, STR("return \1KEEP\2\3(v0 + a[1]);\n}\n"));
    // The driver's way in, arrays and results as 64-bit numbers.
    strbuf_printf(&w->out,
                  "static long long call%d(long long *in)\n{\n%s q[4];\nS%d s;\n"
                  "for (int i = 0; i < 4; i++) q[i] = (%s)in[3 + i], s.t[i] = (%s)in[8 + i];\n"
                  "s.x = (%s)in[7]; s.in.a = (%s)in[12]; s.in.b = (%s)in[13];\n"
                  "long long r = (long long)f%d((%s)in[0], (%s)in[1], (%s)in[2], q, &s);\n"
                  "for (int i = 0; i < 4; i++) in[3 + i] = q[i], in[8 + i] = s.t[i];\n"
                  "in[7] = s.x; in[12] = s.in.a; in[13] = s.in.b;\nreturn r;\n}\n",
                  k, element, k, element, fields[1], fields[0], fields[2], fields[3], k, types[0],
                  types[1], types[2]);
}

static void write_main(Writer *w, int n)
{
    strbuf_append(&w->out, STR("static long long (*calls[])(long long *) = {"));
    for (int k = 0; k < n; k++)
        strbuf_printf(&w->out, "call%d, ", k);
    strbuf_append(
        &w->out,
        STR("};\nstatic sigjmp_buf back;\nstatic void trap(int s) { siglongjmp(back, s); }\n"
            "int main(void)\n{\nint k;\nlong long in[14];\n"
            "signal(SIGILL, trap);\nsignal(SIGFPE, trap);\nsignal(SIGTRAP, trap);\n"
            "while (scanf(\"%d\", &k) == 1) {\n"
            "for (int i = 0; i < 14; i++) if (scanf(\"%lld\", &in[i]) != 1) return 2;\n"
            "if (sigsetjmp(back, 1)) { puts(\"1 0 0 0 0 0 0 0 0 0 0 0 0\"); continue; }\n"
            "long long r = calls[k](in);\n"
            "printf(\"0 %lld\", r);\n"
            "for (int i = 3; i < 14; i++) printf(\" %lld\", in[i]);\nputs(\"\");\n}\n"
            "return 0;\n}\n"));
}

// --- the comparison ------------------------------------------------------------------------------

typedef struct Translated {
    Terms *terms;
    Arena *arena;
    Translator t;
} Translated;

// False where the grammar takes (v * (a)) + b for a cast, which is refused.
static bool translate_named(Translated *out, const Syntax *syntax, Str name)
{
    *out = (Translated){.terms = terms_new(), .arena = arena_new()};
    out->t = (Translator){.terms = out->terms, .arena = out->arena, .syntax = syntax, .unwind = 8};
    if (translate_function(&out->t, translate_find(syntax, name), NULL)) return true;
    bool ambiguous = str_equal(out->t.why, STR("a cast to a pointer")) ||
                     str_equal(out->t.why, STR("pointer expression that is assigned to")) ||
                     str_starts(out->t.why, STR("an element of something"));
    if (!ambiguous)
        fail_msg("%.*s: %.*s in line %u", STR_FMT(name), STR_FMT(out->t.why), out->t.line);
    return false;
}

static void drop(Translated *x)
{
    translate_deinit(&x->t);
    terms_free(x->terms);
    arena_free(x->arena);
}

static int64_t draw_number(Writer *w)
{
    static const int64_t edges[] = {0,   1,         -1,        2,         127,
                                    128, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    unsigned kind = draw(w, 4);
    if (kind == 0) return edges[draw(w, 10)];
    if (kind < 3) return (int64_t)draw(w, 20) - 8;
    return (int64_t)((uint64_t)draw(w, UINT32_MAX) << draw(w, 33)) * (draw(w, 2) ? 1 : -1);
}

typedef struct Outcome {
    bool trapped;
    int64_t result, elements[N_ELEMENTS + N_FIELDS]; // of the array and the structure
} Outcome;

static bool read_outcome(FILE *f, Outcome *out)
{
    int trapped;
    long long n;
    if (fscanf(f, "%d %lld", &trapped, &n) != 2) return false;
    out->trapped = trapped != 0;
    out->result = n;
    for (int i = 0; i < N_ELEMENTS + N_FIELDS; i++) {
        if (fscanf(f, "%lld", &n) != 1) return false;
        out->elements[i] = n;
    }
    return true;
}

static bool same_bits(uint64_t model, int64_t program, CType type)
{
    uint64_t mask = type.bits == 64 ? UINT64_MAX : ((uint64_t)1 << type.bits) - 1;
    return ((model ^ (uint64_t)program) & mask) == 0;
}

static void set_inputs(const Translated *x, const int64_t *in, TermModel *model)
{
    const Translator *t = &x->t;
    for (size_t i = 0; i < t->inputs.n; i++) {
        const Input *input = &t->inputs.items[i];
        uint64_t value = (uint64_t)*in;
        if (input->type.kind == C_BOOL) value = value != 0;
        for (int k = 0; input->is_array && k < N_ELEMENTS; k++)
            term_model_put(model, input->var, (uint64_t)k, (uint64_t)in[k]);
        if (!input->is_array) term_model_set(model, input->var, value);
        in += input->is_array ? N_ELEMENTS : 1;
    }
    term_model_evaluate(model, x->terms);
}

// Is what the pointers lead to the same afterwards?
static bool same_objects(const Translated *x, const TermModel *model, const Outcome *program)
{
    const int64_t *wanted = program->elements;
    for (size_t i = N_PARAMS; i < x->t.inputs.n; i++) {
        const Input *input = &x->t.inputs.items[i];
        Term value = x->t.state.cells[input->slot].value;
        for (uint64_t k = 0; input->is_array && k < N_ELEMENTS; k++)
            if (!same_bits(term_element(model, x->terms, value, k), *wanted++, input->type))
                return false;
        if (!input->is_array && !same_bits(term_value(model, value), *wanted++, input->type))
            return false;
    }
    return true;
}

// The line of a violation that the model sees, 0: none; -1: it was not unrolled far enough.
static int see_violation(const Translated *x, const TermModel *model)
{
    int seen = 0;
    for (size_t i = 0; i < x->t.properties.n; i++) {
        const Property *p = &x->t.properties.items[i];
        if (!term_value(model, p->when)) continue;
        if (p->kind == FORMAL_UNWIND) return -1;
        if (!seen) seen = (int)p->line;
    }
    return seen;
}

static void compare(const Translated *x, const int64_t *in, const Outcome *program, int k)
{
    TermModel *model = term_model_new();
    set_inputs(x, in, model);
    int seen = see_violation(x, model);
    bool same = (seen != 0) == program->trapped && seen >= 0;
    if (same && !seen) same = same_objects(x, model, program);
    if (same && !seen)
        same = same_bits(term_value(model, x->t.result), program->result, x->t.result_type);
    if (!same)
        fail_msg("f%d(%lld, %lld, %lld, {%lld, %lld, %lld, %lld}): the model %s %lld (line %d), "
                 "the program %s %lld",
                 k, (long long)in[0], (long long)in[1], (long long)in[2], (long long)in[3],
                 (long long)in[4], (long long)in[5], (long long)in[6],
                 seen ? "sees a violation" : "returns", (long long)term_value(model, x->t.result),
                 seen, program->trapped ? "traps" : "returns", (long long)program->result);
    term_model_free(model);
}

static void write_text(const char *path, Str text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
    fclose(f);
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

// Runs the compiled programs on every line of inputs.
static FILE *run_programs(const char *folder, Str inputs)
{
    char path[128], command[512];
    snprintf(path, sizeof path, "%s/in", folder);
    write_text(path, inputs);
    snprintf(command, sizeof command, "%s/program < %s/in > %s/out", folder, folder, folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/out", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    return f;
}

// What is for the compiler, or for the model.
static char *pick(Str source, bool for_compiler)
{
    char *out = calloc(source.len + 1, 1);
    size_t n = 0;
    int part = 0;
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        if (c >= 1 && c <= 3)
            part = c % 3;
        else if (part == 0 || part == (for_compiler ? 1 : 2))
            out[n++] = c;
    }
    return out;
}

static const char preamble[] =
    "#include <setjmp.h>\n#include <signal.h>\n#include <stdbool.h>\n#include <stdint.h>\n"
    "#include <stdio.h>\n\1#define KEEP(x) ({ __typeof__(x) kept = (x); "
    "__asm__(\"\" : \"+m\"(kept)); kept; })\n\2\n\3";

// Leaves the text of the model in the writer.
static void compile_programs(const char *folder, Writer *w)
{
    char path[128], command[512];
    snprintf(path, sizeof path, "%s/program.c", folder);
    char *source = pick(strbuf_str(&w->out), true), *model = pick(strbuf_str(&w->out), false);
    write_text(path, str_from(source));
    strbuf_clear(&w->out);
    strbuf_append(&w->out, str_from(model));
    free(source);
    free(model);
    snprintf(command, sizeof command,
             "cc -w -O0 -std=gnu11 -fsanitize=undefined -fsanitize-undefined-trap-on-error "
             "%s/program.c -o %s/program",
             folder, folder);
    assert_int_equal(system(command), 0);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"program.c", "program", "in", "out"};
    char path[128];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void programs_do_what_their_model_says(void **state)
{
    (void)state;
    char folder[] = "/tmp/r1ls-formal-XXXXXX";
    int n = (int)from_environment("R1LS_FORMAL_PROGRAMS", 40);
    Writer w = {.state = from_environment("R1LS_FORMAL_SEED", 1) * 977u + 5, .n_statements = 4};
    TextSnap *text;
    StrBuf lines = {0};
    int64_t *in = calloc((size_t)n * N_INPUTS * N_NUMBERS, sizeof *in);
    assert_non_null(mkdtemp(folder));
    strbuf_append(&w.out, str_from(preamble));
    for (int k = 0; k < n; k++)
        write_function(&w, k);
    write_main(&w, n);
    compile_programs(folder, &w);
    for (int i = 0; i < n * N_INPUTS; i++) {
        strbuf_printf(&lines, "%d", i / N_INPUTS);
        for (int j = 0; j < N_NUMBERS; j++)
            strbuf_printf(&lines, " %lld", (long long)(in[i * N_NUMBERS + j] = draw_number(&w)));
        strbuf_append_char(&lines, '\n');
    }
    FILE *out = run_programs(folder, strbuf_str(&lines));
    Syntax *syntax = parse_c(w.out.ptr, &text);
    int n_traps = 0, n_inside = 0;
    for (int k = 0; k < n; k++) {
        Translated x;
        char name[16];
        snprintf(name, sizeof name, "f%d", k);
        bool inside = translate_named(&x, syntax, str_from(name));
        n_inside += inside;
        for (int i = k * N_INPUTS; i < (k + 1) * N_INPUTS; i++) {
            Outcome outcome;
            assert_true(read_outcome(out, &outcome));
            n_traps += outcome.trapped;
            if (inside) compare(&x, &in[i * N_NUMBERS], &outcome, k);
        }
        drop(&x);
    }
    // Neither case is rare, and few are refused.
    assert_true(n_inside > n * 9 / 10);
    assert_true(n_traps > n * N_INPUTS / 10 && n_traps < n * N_INPUTS * 9 / 10);
    fclose(out);
    syntax_release(syntax);
    text_release(text);
    strbuf_deinit(&w.out);
    strbuf_deinit(&lines);
    free(in);
    remove_folder(folder);
}

// --- with the solver -----------------------------------------------------------------------------

// The inputs of a finding make the compiled program trap.
static void counterexamples_are_real(void **state)
{
    (void)state;
    char folder[] = "/tmp/r1ls-formal-XXXXXX";
    int n = 4;
    Writer w = {.state = from_environment("R1LS_FORMAL_SEED", 1) * 31u + 7, .n_statements = 1};
    StrBuf lines = {0};
    TextSnap *text;
    if (lacks_solver()) skip();
    assert_non_null(mkdtemp(folder));
    strbuf_append(&w.out, str_from(preamble));
    for (int k = 0; k < n; k++)
        write_function(&w, k);
    write_main(&w, n);
    compile_programs(folder, &w);
    Syntax *syntax = parse_c(w.out.ptr, &text);
    int n_found = 0;
    for (int k = 0; k < n; k++) {
        Arena *arena = arena_new();
        Str name = arena_printf(arena, "f%d", k);
        FormalRequest request = {.syntax = syntax, .prover = {FORMAL_Z3, NULL}, .max_ms = 20000};
        assert_true(formal_find(syntax, name, &request.byte_off));
        Formal *formal = check_to_its_end(&request, arena);
        const FormalResult *r = formal_result(formal);
        for (int i = 0; i < r->n_findings; i++) {
            // "p0 = 1, p1 = 2, p2 = true, q = {1, 2, 3, 4}" to numbers alone.
            strbuf_printf(&lines, "%d ", k);
            Str s = r->findings[i].inputs;
            for (size_t j = 0; j < s.len; j++) {
                bool arrow = str_starts(str_slice(s, j, s.len), STR("->"));
                bool digit = (s.ptr[j] >= '0' && s.ptr[j] <= '9') || (s.ptr[j] == '-' && !arrow);
                bool of_name = j > 0 && s.ptr[j - 1] == 'p';
                if (s.ptr[j] == '=' && str_starts(str_slice(s, j + 2, s.len), STR("true")))
                    strbuf_append_char(&lines, '1');
                if (s.ptr[j] == '=' && str_starts(str_slice(s, j + 2, s.len), STR("false")))
                    strbuf_append_char(&lines, '0');
                strbuf_append_char(&lines, digit && !of_name ? s.ptr[j] : ' ');
            }
            strbuf_append_char(&lines, '\n');
            n_found++;
        }
        formal_free(formal);
        arena_free(arena);
    }
    FILE *out = run_programs(folder, strbuf_str(&lines));
    for (int i = 0; i < n_found; i++) {
        Outcome outcome;
        assert_true(read_outcome(out, &outcome));
        if (!outcome.trapped) fail_msg("counterexample %d of\n%s", i, lines.ptr);
    }
    assert_true(n_found >= 1);
    fclose(out);
    syntax_release(syntax);
    text_release(text);
    strbuf_deinit(&w.out);
    strbuf_deinit(&lines);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_do_what_their_model_says),
        cmocka_unit_test(counterexamples_are_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
