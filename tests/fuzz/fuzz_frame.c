// Any bytes as a client's stream, in pieces: no read past what arrived, and the same frames
// whichever way the bytes are cut. The first byte chooses the pieces' length.
#include <assert.h>
#include <stdint.h>

#include "lsp/frame.h"

typedef struct Outcome {
    size_t n_frames, n_invalid;
    unsigned long long hash;
} Outcome;

static void drain(FrameReader *reader, Outcome *outcome, size_t n_fed)
{
    for (size_t n_calls = 0;; n_calls++) {
        // Every answer but PARTIAL uses bytes up.
        assert(n_calls <= 2 * n_fed + 2);
        Str body = {0};
        Error err = {0};
        FrameStatus status = frame_next(reader, &body, &err);
        if (status == FRAME_PARTIAL) return;
        if (status == FRAME_INVALID) {
            assert(err.code != ERROR_NONE);
            outcome->n_invalid++;
            continue;
        }
        assert(body.len <= FRAME_MAX_BYTES && body.len <= n_fed);
        outcome->n_frames++;
        outcome->hash = str_hash(body, outcome->hash);
    }
}

static Outcome read_all(Str bytes, size_t piece)
{
    FrameReader reader = {0};
    Outcome outcome = {0};
    for (size_t at = 0; at < bytes.len; at += piece) {
        Str fed = str_slice(bytes, at, at + piece);
        frame_feed(&reader, fed);
        drain(&reader, &outcome, at + fed.len);
    }
    frame_deinit(&reader);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (n_bytes < 2) return 0;
    Str bytes = {(const char *)data + 1, n_bytes - 1};
    Outcome whole = read_all(bytes, bytes.len), cut = read_all(bytes, 1 + data[0]);
    assert(whole.n_frames == cut.n_frames && whole.hash == cut.hash);
    return 0;
}
