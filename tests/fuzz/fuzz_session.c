// Any bytes as a saved session, with the right magic, model and checksum so that the rest is
// reached; what is loaded has ids of the vocabulary and can be saved again.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "forward.h"
#include "session_state.h"

enum { HEADER_BYTES = 184, CHECKSUM_AT = 176, N_CTX = 16, N_VOCAB = 32, WIDTH = 8 };

// What session_file.c takes of the rest of the engine.
const char *engine_model_hash(Engine *engine)
{
    (void)engine;
    return "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
}

void lora_hash(const LoraSet *set, char hex[SHA256_HEX + 1])
{
    (void)set;
    memset(hex, '0', SHA256_HEX);
    hex[SHA256_HEX] = '\0';
}

bool session_is_cancelled(EngineCancel cancel, Error *err)
{
    (void)cancel, (void)err;
    return false;
}

void session_forget(Session *s)
{
    s->kv.len = 0;
    s->has_logits = false;
}

bool session_check_ids(const Session *s, const int *ids, int n, int max, Error *err)
{
    (void)max;
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= s->engine->shape.n_vocab)
            return error_set(err, ERROR_INVALID, "id %d", ids[i]);
    return true;
}

static Session *make_session(void)
{
    Error err = {0};
    Engine *e = mem_zero(sizeof *e);
    Session *s = mem_zero(sizeof *s);
    e->shape = (Shape){.n_layers = 2,
                       .n_embd = WIDTH,
                       .n_vocab = N_VOCAB,
                       .n_kv_heads = 1,
                       .key_dim = WIDTH,
                       .value_dim = WIDTH};
    s->engine = e;
    if (!kv_init(&s->kv, &e->shape, 2, N_CTX, &err)) abort();
    s->ids = mem_zero(N_CTX * sizeof *s->ids);
    s->logits = mem_zero(N_VOCAB * sizeof *s->logits);
    s->mtp.states = mem_zero((size_t)N_CTX * WIDTH * sizeof *s->mtp.states);
    return s;
}

// The checksum is chained over the parts, whose sizes the header tells.
static void mend(uint8_t *file, size_t n_bytes, const Session *s)
{
    static const uint32_t dims[] = {1, 2, WIDTH, WIDTH, WIDTH, N_VOCAB};
    uint32_t n;
    memcpy(file, "R1LSSES\0\1\0\0\0\270\0\0\0", 16);
    memcpy(file + 16, engine_model_hash(NULL), SHA256_HEX);
    memset(file + 80, '0', SHA256_HEX);
    memcpy(file + 144, dims, sizeof dims);
    memset(file + CHECKSUM_AT, 0, 8);
    memcpy(&n, file + 168, 4);
    if (n > N_CTX) return;
    uint64_t sum = session_checksum(0, file, HEADER_BYTES);
    size_t at = HEADER_BYTES, row = (size_t)n * WIDTH * 2;
    const size_t parts[] = {n * sizeof *s->ids, row, row, row, row, row};
    for (size_t i = 0; i < sizeof parts / sizeof *parts && at + parts[i] <= n_bytes; i++) {
        sum = session_checksum(sum, file + at, parts[i]);
        at += parts[i];
    }
    if (at < n_bytes) sum = session_checksum(sum, file + at, n_bytes - at);
    memcpy(file + CHECKSUM_AT, &sum, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static Session *s;
    if (!s) s = make_session();
    char path[64];
    int fd = memfd_create("session", 0), n;
    assert(fd >= 0);
    uint8_t *copy = malloc(n_bytes + 1);
    memcpy(copy, data, n_bytes);
    if (n_bytes > HEADER_BYTES && data[0] % 4) mend(copy, n_bytes, s); // some as they are
    assert(write(fd, copy, n_bytes) == (ssize_t)n_bytes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    Error err = {0}, ids_err = {0};
    bool ok = session_load(s, path, &err);
    assert(ok == (err.code == ERROR_NONE));
    assert(s->kv.len >= 0 && s->kv.len <= N_CTX);
    for (int i = 0; i < s->kv.len; i++)
        assert(s->ids[i] >= 0 && s->ids[i] < N_VOCAB);
    int *ids = session_file_ids(s, path, &n, &ids_err);
    assert(ids || ids_err.code != ERROR_NONE);
    assert(!ok || ids);
    free(ids);
    free(copy);
    close(fd);
    return 0;
}
