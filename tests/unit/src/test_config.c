// Options: defaults, texts, JSON, and what is told about wrong values.
#include "unit/unit.h"

#include <json-c/json.h>

#include "config.h"

typedef struct Warnings {
    int n;
    char last[300];
} Warnings;

static void note_warning(void *user, const char *line)
{
    Warnings *w = user;
    w->n++;
    snprintf(w->last, sizeof w->last, "%s", line);
}

static Warnings apply(Config *config, const char *json)
{
    Warnings w = {0};
    struct json_object *object = json_tokener_parse(json);
    assert_non_null(object);
    config_apply_json(config, object, note_warning, &w);
    json_object_put(object);
    return w;
}

enum {
#define X(...) +1
    N_ROWS = 0 CONFIG_OPTIONS(X)
#undef X
};

static void config_defaults_are_the_tables(void **state)
{
    (void)state;
    Config c;
    config_init(&c);
    assert_string_equal(c.model, "");
    assert_int_equal(c.max_tokens, 48);
    assert_true(c.inline_completion);
    assert_false(c.trusted);
    assert_true(c.gate == -1);
    assert_string_equal(c.log_level, "warn");
    ConfigRow row;
    unsigned n = 0;
    for (; config_row(&c, n, &row); n++)
        assert_true(row.is_default);
    assert_int_equal(n, N_ROWS);
    config_deinit(&c);
}

static void config_set_reads_every_kind(void **state)
{
    (void)state;
    Config c;
    Error err = {0};
    config_init(&c);
    assert_ok(config_set(&c, "threads", "4", &err), err);
    assert_ok(config_set(&c, "gate", "0.25", &err), err);
    assert_ok(config_set(&c, "trusted", "on", &err), err);
    assert_ok(config_set(&c, "model", "/a b/c.gguf", &err), err);
    assert_ok(config_set(&c, "model", "/d.gguf", &err), err);
    assert_ok(config_set(&c, "positionEncoding", "utf-8", &err), err);
    assert_int_equal(c.threads, 4);
    assert_true(c.gate == 0.25);
    assert_true(c.trusted);
    assert_string_equal(c.model, "/d.gguf");
    config_deinit(&c);
}

static void config_set_refuses_and_says_why(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"threads", "-1", "wanted a whole number from 0 to 256"},
        {"threads", "257", "'257'"},
        {"threads", "2.5", "whole number"},
        {"threads", "", "''"},
        {"threads", "4x", "'4x'"},
        {"gate", "nan", "a number from -1 to 1"},
        {"gate", "1e999", "1e999"},
        {"trusted", "maybe", "true or false"},
        {"logLevel", "loud", "error, warn, info or debug"},
        {"positionEncoding", "utf-7", "utf-16"},
        {"colour", "red", "unknown option 'colour'"},
    };
    Config c;
    config_init(&c);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Error err = {0};
        assert_false(config_set(&c, wrong[i][0], wrong[i][1], &err));
        assert_int_equal(err.code, ERROR_INVALID);
        if (!strstr(err.text, wrong[i][2])) fail_msg("%s lacks '%s'", err.text, wrong[i][2]);
    }
    assert_int_equal(c.threads, 0);
    assert_string_equal(c.log_level, "warn");
    config_deinit(&c);
}

static void config_json_applies_the_rest_of_a_wrong_object(void **state)
{
    (void)state;
    Config c;
    config_init(&c);
    int candidates = c.candidates;
    Warnings w = apply(&c, "{\"maxTokens\": 12, \"nonsense\": 1, \"gate\": 1, \"model\": \"m\","
                           " \"multiLine\": false, \"threads\": null, \"context\": \"9\","
                           " \"candidates\": 1e9, \"trusted\": 1}");
    assert_int_equal(w.n, 4); // nonsense, context, candidates, trusted
    assert_int_equal(c.max_tokens, 12);
    assert_true(c.gate == 1);
    assert_string_equal(c.model, "m");
    assert_false(c.multi_line);
    assert_int_equal(c.context, 0);
    assert_int_equal(c.candidates, candidates); // as it was
    assert_false(c.trusted);
    config_deinit(&c);
}

static void config_json_survives_odd_values(void **state)
{
    (void)state;
    Config c;
    config_init(&c);
    assert_int_equal(apply(&c, "[1,2]").n, 1);
    assert_int_equal(apply(&c, "\"text\"").n, 1);
    assert_int_equal(apply(&c, "{\"model\": \"a\\u0000b\"}").n, 1);
    assert_int_equal(apply(&c, "{\"model\": {\"a\": []}, \"gate\": [3]}").n, 2);
    assert_int_equal(apply(&c, "{\"threads\": 9223372036854775807}").n, 1);
    assert_int_equal(apply(&c, "{}").n, 0);
    Warnings w = {0};
    config_apply_json(&c, NULL, note_warning, &w);
    assert_int_equal(w.n, 0);
    assert_string_equal(c.model, "");
    config_deinit(&c);
}

static void config_copy_is_deep(void **state)
{
    (void)state;
    Config a, b;
    Error err = {0};
    config_init(&a);
    config_init(&b);
    assert_ok(config_set(&a, "model", "one", &err), err);
    assert_ok(config_set(&a, "threads", "3", &err), err);
    config_copy(&b, &a);
    config_copy(&b, &b);
    assert_ok(config_set(&a, "model", "two", &err), err);
    assert_string_equal(b.model, "one");
    assert_int_equal(b.threads, 3);
    ConfigRow row;
    assert_true(config_row(&b, 0, &row));
    assert_string_equal(row.value, "one");
    assert_false(row.is_default);
    config_deinit(&a);
    config_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_defaults_are_the_tables),
        cmocka_unit_test(config_set_reads_every_kind),
        cmocka_unit_test(config_set_refuses_and_says_why),
        cmocka_unit_test(config_json_applies_the_rest_of_a_wrong_object),
        cmocka_unit_test(config_json_survives_odd_values),
        cmocka_unit_test(config_copy_is_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
