// `r1ls schema`: what a project's .r1ls.json may say, for editors that complete it.
#include <stdio.h>

#include "cli.h"
#include "dotfile.h"

int cli_schema(int argc, char **argv)
{
    const CliCommand command = {"r1ls schema",
                                "Prints the JSON schema of .r1ls.json, made from the tables that "
                                "the program reads it by.\n",
                                NULL,
                                0,
                                0,
                                0};
    int n_args, code;
    if (!cli_parse(&command, argc, argv, &n_args, &code)) return code;
    Arena *arena = arena_new();
    printf("%.*s", STR_FMT(dotfile_schema(arena)));
    arena_free(arena);
    return CLI_DONE;
}
