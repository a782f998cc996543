// Command lines by table: one row per option, for parsing and for --help alike.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void print_help(const CliCommand *command)
{
    printf("usage: %s\n\n%s\noptions:\n", command->usage, command->about);
    for (size_t i = 0; i < command->n_options; i++) {
        const CliOption *o = &command->options[i];
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s", o->name[1] ? "--" : "-", o->name,
                 o->value && o->type != CLI_OPTIONAL ? " " : "", o->value ? o->value : "");
        printf("  %-20s %s\n", left, o->text);
    }
    printf("  %-20s %s\n", "--help", "print this");
}

static const CliOption *find_option(const CliCommand *command, Str name)
{
    for (size_t i = 0; i < command->n_options; i++)
        if (str_equal(str_from(command->options[i].name), name)) return &command->options[i];
    return NULL;
}

static bool set_number(const CliOption *o, const char *value, Error *err)
{
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    bool whole = o->type == CLI_NUM || (double)(long long)number == number;
    if (end == value || *end || errno || !(number >= o->min && number <= o->max) || !whole)
        return error_set(err, ERROR_INVALID, "%s is '%.60s', wanted %s from %g to %g", o->name,
                         value, o->type == CLI_NUM ? "a number" : "a whole number", o->min, o->max);
    if (o->type == CLI_NUM)
        *(double *)o->target = number;
    else
        *(int *)o->target = (int)number;
    return true;
}

static bool set_seed(const CliOption *o, const char *value, Error *err)
{
    char *end;
    errno = 0;
    unsigned long long seed = strtoull(value, &end, 10);
    if (end == value || *end || errno || value[0] == '-')
        return error_set(err, ERROR_INVALID, "%s is '%.60s', wanted a whole number from 0 on",
                         o->name, value);
    *(uint64_t *)o->target = seed;
    return true;
}

static bool set_pair(const CliOption *o, const char *value, Error *err)
{
    const char *equals = strchr(value, '=');
    char key[64];
    if (!equals || equals == value || (size_t)(equals - value) >= sizeof key)
        return error_set(err, ERROR_INVALID, "%s is '%.60s', wanted KEY=VALUE", o->name, value);
    memcpy(key, value, (size_t)(equals - value));
    key[equals - value] = '\0';
    return config_set(o->target, key, equals + 1, err);
}

static bool set_option(const CliOption *o, const char *value, Error *err)
{
    switch (o->type) {
    case CLI_FLAG:
        *(bool *)o->target = true;
        return true;
    case CLI_INT:
    case CLI_NUM:
        return set_number(o, value, err);
    case CLI_SEED:
        return set_seed(o, value, err);
    case CLI_TEXT:
    case CLI_OPTIONAL:
        *(const char **)o->target = value ? value : "";
        return true;
    case CLI_CONFIG:
        return config_set(o->target, o->key, value ? value : "true", err);
    case CLI_SET:
        return set_pair(o, value, err);
    }
    return false;
}

// An option as written: its name, and its value if that is in the same argument.
static void split_argument(const char *arg, Str *name, const char **value)
{
    *value = NULL;
    if (arg[1] != '-') { // -n or -n5
        *name = (Str){arg + 1, 1};
        if (arg[2]) *value = arg + 2;
        return;
    }
    const char *equals = strchr(arg, '=');
    *name = equals ? (Str){arg + 2, (size_t)(equals - arg - 2)} : str_from(arg + 2);
    if (equals) *value = equals + 1;
}

// Takes the option at argv[*i] and its value. False with *err or, for help, without.
static bool take_option(const CliCommand *command, int argc, char **argv, int *i, Error *err)
{
    Str name;
    const char *value, *arg = argv[*i];
    split_argument(arg, &name, &value);
    if (str_equal(name, STR("help")) || strcmp(arg, "-h") == 0) return false;
    const CliOption *o = find_option(command, name);
    if (!o) return error_set(err, ERROR_INVALID, "unknown option '%.60s'", arg);
    if (!o->value && value)
        return error_set(err, ERROR_INVALID, "option '%.60s' takes no value", arg);
    if (o->value && !value && o->type != CLI_OPTIONAL) {
        if (*i + 1 >= argc)
            return error_set(err, ERROR_INVALID, "option '%.60s' wants a value: %s", arg, o->value);
        value = argv[++*i];
    }
    return set_option(o, value, err);
}

static bool check_count(const CliCommand *command, int n, char **argv, Error *err)
{
    if (n < command->min_args) return error_set(err, ERROR_INVALID, "an argument is missing");
    if (command->max_args >= 0 && n > command->max_args)
        return error_set(err, ERROR_INVALID, "unexpected argument '%.80s'",
                         argv[command->max_args + 1]);
    return true;
}

bool cli_parse(const CliCommand *command, int argc, char **argv, int *n_args, int *code)
{
    Error err = {0};
    bool only_args = false, ok = true;
    *n_args = 0;
    for (int i = 1; ok && i < argc; i++) {
        bool is_option = !only_args && argv[i][0] == '-' && argv[i][1];
        if (is_option && strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (is_option)
            ok = take_option(command, argc, argv, &i, &err);
        else
            argv[++*n_args] = argv[i];
    }
    if (ok) ok = check_count(command, *n_args, argv, &err);
    if (ok) return true;
    if (err.code == ERROR_NONE) {
        print_help(command);
        *code = CLI_DONE;
        return false;
    }
    *code = cli_fail(CLI_USAGE, "%s", err.text);
    fprintf(stderr, "usage: %s\n", command->usage);
    return false;
}
