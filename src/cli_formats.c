// The forms of findings. Sources: SARIF 2.1.0 (OASIS standard), GitHub's workflow commands,
// GitLab's Code Quality report, and the JUnit schema that CI systems read.
#include <stdio.h>
#include <string.h>

#include "cli_findings.h"

static const char *const words[] = {
#define X(name, word) word,
    FINDING_FORMATS(X)
#undef X
};

bool findings_find_format(const char *word, FindingFormat *out)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) != 0) continue;
        *out = (FindingFormat)i;
        return true;
    }
    return false;
}

const char *findings_severity_word(RuleSeverity severity)
{
    static const char *const severities[] = {"error", "warning", "information", "hint"};
    return severities[severity - SEVERITY_ERROR];
}

bool findings_find_severity(const char *word, RuleSeverity *out)
{
    for (int s = SEVERITY_ERROR; s <= SEVERITY_HINT; s++) {
        if (strcmp(findings_severity_word((RuleSeverity)s), word) != 0) continue;
        *out = (RuleSeverity)s;
        return true;
    }
    return false;
}

// The forms' words for what is less than a warning.
static const char *level(RuleSeverity severity, const char *lesser)
{
    return severity > SEVERITY_WARNING ? lesser : findings_severity_word(severity);
}

// --- text and JSON -------------------------------------------------------------------------------

static void print_text(const Finding *x)
{
    if (x->line)
        printf("%.*s:%u:%u: %s: %.*s\n", STR_FMT(x->path), x->line, x->column,
               level(x->severity, "note"), STR_FMT(x->message));
}

static void put_str(struct json_object *object, const char *key, Str text)
{
    json_object_object_add(object, key, cli_json_str(text));
}

static void put_int(struct json_object *object, const char *key, size_t value)
{
    json_object_object_add(object, key, json_object_new_int64((int64_t)value));
}

static struct json_object *put_object(struct json_object *object, const char *key)
{
    struct json_object *value = json_object_new_object();
    json_object_object_add(object, key, value);
    return value;
}

static struct json_object *put_array(struct json_object *object, const char *key)
{
    struct json_object *value = json_object_new_array();
    json_object_object_add(object, key, value);
    return value;
}

static struct json_object *json_finding(const Finding *x)
{
    struct json_object *entry = json_object_new_object();
    put_str(entry, "file", x->path);
    put_int(entry, "line", x->line);
    put_int(entry, "column", x->column);
    json_object_object_add(entry, "range", json_tokener_parse(x->json_range.ptr));
    put_str(entry, "severity", str_from(findings_severity_word(x->severity)));
    put_str(entry, "rule", x->rule);
    put_str(entry, "message", x->message);
    put_str(entry, "fingerprint", str_from(x->fingerprint));
    if (x->fix.evidence) {
        struct json_object *fix = put_object(entry, "fix");
        put_int(fix, "start", x->fix.range.start);
        put_int(fix, "end", x->fix.range.end);
        put_str(fix, "insert", x->fix.insert);
        put_str(fix, "evidence", str_from(x->fix.evidence));
    }
    return entry;
}

static void print_json(const Findings *f)
{
    struct json_object *out = json_object_new_object();
    put_int(out, "n_files", f->n_files);
    put_int(out, "n_known", f->n_known);
    put_int(out, "n_fixed", f->n_fixed);
    struct json_object *findings = put_array(out, "findings");
    json_object_object_add(out, "skipped", json_object_get(f->skipped));
    struct json_object *errors = put_array(out, "errors");
    for (size_t i = 0; i < f->all.n; i++) {
        const Finding *x = &f->all.items[i];
        if (x->known) continue;
        if (!x->failure) {
            json_object_array_add(findings, json_finding(x));
            continue;
        }
        struct json_object *entry = json_object_new_object();
        put_str(entry, "file", x->path);
        put_str(entry, "why", x->message);
        json_object_array_add(errors, entry);
    }
    cli_json_print(out);
}

// --- SARIF ---------------------------------------------------------------------------------------

// RFC 3986: what is no unreserved character and no slash as %XX.
static Str make_uri(Str path, bool absolute, Arena *arena)
{
    StrBuf out = {0};
    if (absolute) strbuf_append(&out, STR("file://"));
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~/", c));
        if (plain)
            strbuf_append_char(&out, (char)c);
        else
            strbuf_printf(&out, "%%%02X", c);
    }
    Str uri = arena_str(arena, strbuf_str(&out));
    strbuf_deinit(&out);
    return uri;
}

static void put_artifact(struct json_object *to, const Findings *f, const Finding *x)
{
    struct json_object *artifact = put_object(to, "artifactLocation");
    Str path = findings_short_path(f, x);
    bool absolute = str_starts(path, STR("/"));
    put_str(artifact, "uri", make_uri(path, absolute, f->arena));
    if (!absolute) put_str(artifact, "uriBaseId", STR("%SRCROOT%"));
}

static void put_fix(struct json_object *result, const Findings *f, const Finding *x)
{
    struct json_object *fix = json_object_new_object(), *change = json_object_new_object(),
                       *replacement = json_object_new_object();
    json_object_array_add(put_array(result, "fixes"), fix);
    bool inserts = x->fix.range.start == x->fix.range.end;
    put_str(put_object(fix, "description"), "text",
            arena_printf(f->arena, "%s '%.*s'", inserts ? "Insert" : "Replace by",
                         STR_FMT(str_trim(x->fix.insert))));
    json_object_array_add(put_array(fix, "artifactChanges"), change);
    put_artifact(change, f, x);
    json_object_array_add(put_array(change, "replacements"), replacement);
    struct json_object *region = put_object(replacement, "deletedRegion");
    put_int(region, "startLine", x->fix.line);
    put_int(region, "startColumn", x->fix.column16);
    put_int(region, "endLine", x->fix.end_line);
    put_int(region, "endColumn", x->fix.end_column16);
    put_str(put_object(replacement, "insertedContent"), "text", x->fix.insert);
    put_str(put_object(fix, "properties"), "evidence", str_from(x->fix.evidence));
}

static void put_location(struct json_object *result, const Findings *f, const Finding *x)
{
    struct json_object *location = json_object_new_object();
    json_object_array_add(put_array(result, "locations"), location);
    struct json_object *physical = put_object(location, "physicalLocation");
    put_artifact(physical, f, x);
    if (x->line == 0) return;
    struct json_object *region = put_object(physical, "region");
    put_int(region, "startLine", x->line);
    put_int(region, "startColumn", x->column16);
    put_int(region, "endLine", x->end_line);
    put_int(region, "endColumn", x->end_column16);
}

// The rules of a report, in the order that ruleIndex counts: ours, then rules_list's.
enum { N_OWN = 3 };
typedef struct RuleTable {
    RuleInfo own[N_OWN], *listed;
    size_t n_listed;
} RuleTable;

static const RuleInfo *rule_at(const RuleTable *table, size_t i)
{
    return i < N_OWN ? &table->own[i] : &table->listed[i - N_OWN];
}

static RuleTable make_rule_table(Arena *arena)
{
    RuleTable table = {
        .own = {{STR(RULE_COMPILER), STR("The user's compiler reports it."), SEVERITY_ERROR},
                {STR(RULE_SYNTAX), STR("The text does not fit the grammar of its language."),
                 SEVERITY_ERROR},
                {STR(FINDING_UNREADABLE),
                 STR("The file could not be read or is too large to be parsed."), SEVERITY_ERROR}}};
    table.n_listed = rules_list(arena, &table.listed);
    return table;
}

static size_t rule_index(const RuleTable *table, Str id)
{
    size_t i = 0;
    while (i < table->n_listed + N_OWN && !str_equal(rule_at(table, i)->id, id))
        i++;
    return i;
}

static struct json_object *sarif_tool(const RuleTable *table)
{
    struct json_object *tool = json_object_new_object(), *driver = put_object(tool, "driver");
    put_str(driver, "name", STR("r1ls"));
    put_str(driver, "version", STR(R1LS_VERSION));
    struct json_object *list = put_array(driver, "rules");
    for (size_t i = 0; i < table->n_listed + N_OWN; i++) {
        const RuleInfo *info = rule_at(table, i);
        struct json_object *rule = json_object_new_object();
        put_str(rule, "id", info->id);
        put_str(put_object(rule, "shortDescription"), "text", info->message);
        put_str(put_object(rule, "defaultConfiguration"), "level",
                str_from(level(info->severity, "note")));
        json_object_array_add(list, rule);
    }
    return tool;
}

static void print_sarif(const Findings *f)
{
    struct json_object *out = json_object_new_object(), *run = json_object_new_object();
    RuleTable table = make_rule_table(f->arena);
    put_str(out, "$schema", STR("https://json.schemastore.org/sarif-2.1.0.json"));
    put_str(out, "version", STR("2.1.0"));
    json_object_array_add(put_array(out, "runs"), run);
    json_object_object_add(run, "tool", sarif_tool(&table));
    put_str(run, "columnKind", STR("utf16CodeUnits"));
    struct json_object *invocation = json_object_new_object();
    json_object_array_add(put_array(run, "invocations"), invocation);
    json_object_object_add(invocation, "executionSuccessful", json_object_new_boolean(!f->failed));
    struct json_object *results = put_array(run, "results");
    for (size_t i = 0; i < f->all.n; i++) {
        const Finding *x = &f->all.items[i];
        if (x->known) continue;
        struct json_object *result = json_object_new_object();
        put_str(result, "ruleId", x->rule);
        put_int(result, "ruleIndex", rule_index(&table, x->rule));
        put_str(result, "level", str_from(level(x->severity, "note")));
        put_str(put_object(result, "message"), "text", x->message);
        put_location(result, f, x);
        put_str(put_object(result, "partialFingerprints"), "r1ls/v1", str_from(x->fingerprint));
        if (x->fix.evidence) put_fix(result, f, x);
        json_object_array_add(results, result);
    }
    cli_json_print(out);
}

// --- GitHub --------------------------------------------------------------------------------------

// Workflow commands end at a line break; in properties ':' and ',' are marks too.
static void print_escaped(Str text, const char *marks)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '%' || c == '\r' || c == '\n' || (c && strchr(marks, c)))
            printf("%%%02X", c);
        else
            putchar(c);
    }
}

static void print_github(const Findings *f, const Finding *x)
{
    printf("::%s file=", level(x->severity, "notice"));
    print_escaped(findings_short_path(f, x), ":,");
    if (x->line) {
        printf(",line=%u,endLine=%u,col=%u", x->line, x->end_line, x->column16);
        if (x->end_line == x->line) printf(",endColumn=%u", x->end_column16);
    }
    printf(",title=r1ls %.*s::", STR_FMT(x->rule));
    print_escaped(x->message, "");
    putchar('\n');
}

// --- GitLab --------------------------------------------------------------------------------------

static void print_gitlab(const Findings *f)
{
    struct json_object *out = json_object_new_array();
    for (size_t i = 0; i < f->all.n; i++) {
        const Finding *x = &f->all.items[i];
        if (x->known) continue;
        struct json_object *entry = json_object_new_object();
        put_str(entry, "description", x->message);
        put_str(entry, "check_name", x->rule);
        put_str(entry, "fingerprint", str_from(x->fingerprint));
        put_str(entry, "severity",
                x->severity == SEVERITY_ERROR     ? STR("major")
                : x->severity == SEVERITY_WARNING ? STR("minor")
                                                  : STR("info"));
        struct json_object *location = put_object(entry, "location");
        put_str(location, "path", findings_short_path(f, x));
        put_int(put_object(location, "lines"), "begin", x->line ? x->line : 1);
        json_object_array_add(out, entry);
    }
    cli_json_print(out);
}

// --- JUnit ---------------------------------------------------------------------------------------

// XML 1.0, section 2.2: control characters and bytes that are no UTF-8 cannot be written.
static void print_xml(Str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = str_utf8_len(str_slice(text, i, text.len));
        char c = text.ptr[i];
        if (n == 0 || (n == 1 && (unsigned char)c < ' ' && c != '\t'))
            fputs("\xEF\xBF\xBD", stdout);
        else if (c == '&' || c == '<' || c == '>' || c == '"')
            printf("&#%d;", c);
        else
            printf("%.*s", (int)n, text.ptr + i);
        i += n ? n : 1;
    }
}

static void print_case(const Findings *f, const Finding *x)
{
    const char *kind = x->failure ? "error" : "failure";
    Str path = findings_short_path(f, x);
    printf("<testcase classname=\"");
    print_xml(path);
    printf("\" name=\"%.*s %s\"><%s type=\"%.*s\" message=\"", STR_FMT(x->rule), x->fingerprint,
           kind, STR_FMT(x->rule));
    print_xml(x->message);
    printf("\">");
    print_xml(path);
    printf(":%u:%u</%s></testcase>\n", x->line, x->column, kind);
}

static void print_junit(const Findings *f)
{
    size_t n_failures = 0, n_errors = 0;
    for (size_t i = 0; i < f->all.n; i++) {
        n_errors += f->all.items[i].failure;
        n_failures += !f->all.items[i].failure && !f->all.items[i].known;
    }
    size_t n = n_errors + n_failures;
    printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite "
           "name=\"r1ls check\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n",
           n ? n : 1, n_failures, n_errors);
    if (n == 0) printf("<testcase classname=\"r1ls\" name=\"%zu files\"/>\n", f->n_files);
    for (size_t i = 0; i < f->all.n; i++)
        if (!f->all.items[i].known) print_case(f, &f->all.items[i]);
    printf("</testsuite>\n</testsuites>\n");
}

// --- all -----------------------------------------------------------------------------------------

void findings_print(const Findings *f, FindingFormat format)
{
    if (format == FORMAT_JSON) print_json(f);
    if (format == FORMAT_SARIF) print_sarif(f);
    if (format == FORMAT_GITLAB) print_gitlab(f);
    if (format == FORMAT_JUNIT) print_junit(f);
    for (size_t i = 0; i < f->all.n; i++) {
        if (f->all.items[i].known) continue;
        if (format == FORMAT_TEXT) print_text(&f->all.items[i]);
        if (format == FORMAT_GITHUB) print_github(f, &f->all.items[i]);
    }
}
