// Prints the ids of texts, for tests/golden/tokenizer_families.py:  dump_ids MODEL.gguf
// plain|special Each text on the input is a 32-bit length and its bytes; each answer is a line.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/tokenizer.h"

static int dump(const Tokenizer *t, bool special)
{
    for (uint32_t n_bytes; fread(&n_bytes, sizeof n_bytes, 1, stdin) == 1;) {
        char *text = malloc((size_t)n_bytes + 1);
        if (fread(text, 1, n_bytes, stdin) != n_bytes) return 1;
        Str all = {text, n_bytes};
        size_t n = tokenizer_encode(t, all, special, NULL, 0);
        int *ids = malloc((n + 1) * sizeof *ids);
        tokenizer_encode(t, all, special, ids, n);
        for (size_t i = 0; i < n; i++)
            printf("%s%d", i ? "," : "", ids[i]);
        printf("\n");
        free(ids);
        free(text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    Error err = {0};
    Gguf *gguf = argc == 3 ? gguf_open(argv[1], &err) : NULL;
    Tokenizer *t = gguf ? tokenizer_open(gguf, &err) : NULL;
    if (!t) fprintf(stderr, "usage: dump_ids MODEL.gguf plain|special\n%s\n", err.text);
    int status = t ? dump(t, strcmp(argv[2], "special") == 0) : 2;
    tokenizer_close(t);
    gguf_close(gguf);
    return status;
}
