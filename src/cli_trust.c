// `r1ls trust`: the folders whose code may be compiled and tested.
#include <stdio.h>

#include "cli.h"
#include "trust.h"

static int change(char **folders, int n, bool trusted)
{
    for (int i = 0; i < n; i++) {
        Error err = {0};
        if (!trust_set(folders[i], trusted, &err)) return cli_fail(CLI_USAGE, "%s", err.text);
        if (!trusted && trust_has(folders[i]))
            cli_fail(CLI_DONE, "%s: still trusted, as a folder above it is", folders[i]);
    }
    return CLI_DONE;
}

static int list(void)
{
    Arena *arena = arena_new();
    Str lines = trust_list(arena);
    printf("%.*s", STR_FMT(lines));
    arena_free(arena);
    return CLI_DONE;
}

int cli_trust(int argc, char **argv)
{
    bool remove = false;
    const CliOption options[] = {
        {"remove", NULL, "trust the folders no longer", CLI_FLAG, &remove, NULL, 0, 0},
    };
    const CliCommand command = {
        "r1ls trust [FOLDER...] [--remove]",
        "What is generated in a trusted folder, or below it, may be compiled and tested, in a\n"
        "sandbox. Without FOLDER: lists the trusted folders. The list lies in the user's state\n"
        "folder, not in the folders.\n",
        options,
        sizeof options / sizeof *options,
        0,
        -1};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    if (n_args > 0) return change(argv + 1, n_args, !remove);
    return remove ? cli_fail(CLI_USAGE, "--remove without a folder, wanted one or more") : list();
}
