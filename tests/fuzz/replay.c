// A fuzz target without libFuzzer: each file of the folders given is run whole, cut short and with
// bytes changed, the same way each time. It finds little that is new, but the targets stay built
// and hold under whatever compiler and sanitizer a test run has.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/random.h"

enum {
    CUTS = 24,
    CHANGES = 200,
    MAX_BYTES = 1 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

// On the heap and of its own size, so that a sanitizer sees a read past the end.
static void run(const uint8_t *data, size_t n_bytes)
{
    uint8_t *copy = malloc(n_bytes + !n_bytes);
    if (!copy) exit(1);
    memcpy(copy, data, n_bytes);
    LLVMFuzzerTestOneInput(copy, n_bytes);
    free(copy);
}

static void run_changed(uint8_t *data, size_t n_bytes, uint64_t *state)
{
    static const uint8_t EDGES[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '\n'};
    size_t at[4], n = 1 + random_next(state) % 4;
    uint8_t old[4];
    for (size_t i = 0; i < n; i++) {
        uint64_t r = random_next(state);
        at[i] = (size_t)(r >> 16) % n_bytes;
        old[i] = data[at[i]];
        data[at[i]] = r & 1 ? EDGES[(r >> 1) % sizeof EDGES] : (uint8_t)(r >> 1);
    }
    run(data, n_bytes);
    while (n--)
        data[at[n]] = old[n];
}

static size_t replay(const char *path)
{
    static uint8_t data[MAX_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t n_bytes = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, n_bytes);
    if (!n_bytes) return 1;
    for (size_t i = 1; i < CUTS; i++)
        run(data, n_bytes * i / CUTS);
    uint64_t state = n_bytes;
    for (size_t i = 0; i < CHANGES; i++)
        run_changed(data, n_bytes, &state);
    return 1;
}

int main(int argc, char **argv)
{
    size_t n_files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) {
            fprintf(stderr, "replay: %s is no folder of seeds\n", argv[i]);
            return 1;
        }
        for (struct dirent *entry; (entry = readdir(dir));) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.') n_files += replay(path);
        }
        closedir(dir);
    }
    printf("%zu seeds, each with %d changes\n", n_files, CUTS - 1 + CHANGES);
    return n_files ? 0 : 1;
}
