// The real server over the scripted engine: `scripted_server SCRIPT [--socket PATH]`.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lsp/server.h"

int main(int argc, char **argv)
{
    Error err = {0};
    ServerOptions options = {0};
    if (argc < 2) {
        fprintf(stderr, "usage: scripted_server SCRIPT [--socket PATH]\n");
        return 2;
    }
    log_set_level(LOG_INFO);
    config_init(&options.config);
    options.engine.path = argv[1];
    if (argc == 4 && strcmp(argv[2], "--socket") == 0) options.socket_path = argv[3];
    int rc = server_run(&options, &err);
    if (rc == 3) fprintf(stderr, "scripted_server: %s\n", err.text);
    config_deinit(&options.config);
    return rc;
}
