// Sessions in files. Everything is little-endian, as in the model's file, and in this order:
//
//   header | ids [n] int32 | keys [layer][n][k_width] | values [layer][n][v_width] |
//   states [n][state_width], of the MTP block | logits [n_vocab] float, if has_logits
//
// The header says what the rest must be, so the size of the file is known before a row is read.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "new_file.h"
#include "session_state.h"

enum { VERSION = 1, CACHE_F16 = 1, PIECE_BYTES = 1 << 20 };
static const char MAGIC[8] = "R1LSSES";

typedef struct Header {
    char magic[8];
    uint32_t version, header_bytes;
    char model[SHA256_HEX], adapters[SHA256_HEX];
    uint32_t cache_type, n_layers, k_width, v_width, state_width, n_vocab, n_tokens, has_logits;
    uint64_t checksum; // of the header with this 0, then of all that follows
} Header;
_Static_assert(sizeof(Header) == 184, "the layout of a file");

// --- checksum ------------------------------------------------------------------------------------

// XXH64 (Yann Collet's specification of xxHash, 2012). It shows damage, not forgery: whoever may
// write to the folder may write a right checksum too.
static const uint64_t P1 = 0x9E3779B185EBCA87ull, P2 = 0xC2B2AE3D27D4EB4Full,
                      P3 = 0x165667B19E3779F9ull, P4 = 0x85EBCA77C2B2AE63ull,
                      P5 = 0x27D4EB2F165667C5ull;

static uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotl(lane + word * P2, 31) * P1;
}

static uint64_t load_bytes(const unsigned char *p, size_t n)
{
    uint64_t x = 0;
    memcpy(&x, p, n);
    return x;
}

static uint64_t add_tail(uint64_t h, const unsigned char *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8)
        h = rotl(h ^ mix(0, load_bytes(p, 8)), 27) * P1 + P4;
    if (n >= 4) {
        h = rotl(h ^ load_bytes(p, 4) * P1, 23) * P2 + P3;
        p += 4, n -= 4;
    }
    for (; n; p++, n--)
        h = rotl(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

uint64_t session_checksum(uint64_t seed, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t left = n;
    if (n < 32) return add_tail(seed + P5 + n, p, n);
    uint64_t lanes[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
    for (; left >= 32; p += 32, left -= 32)
        for (int i = 0; i < 4; i++)
            lanes[i] = mix(lanes[i], load_bytes(p + 8 * i, 8));
    uint64_t h = rotl(lanes[0], 1) + rotl(lanes[1], 7) + rotl(lanes[2], 12) + rotl(lanes[3], 18);
    for (int i = 0; i < 4; i++)
        h = (h ^ mix(0, lanes[i])) * P1 + P4;
    return add_tail(h + n, p, left);
}

// --- the parts of a file -------------------------------------------------------------------------

static Header make_header(const Session *s)
{
    const Engine *e = s->engine;
    char hex[SHA256_HEX + 1];
    Header h = {.version = VERSION,
                .header_bytes = sizeof h,
                .cache_type = CACHE_F16,
                .n_layers = (uint32_t)s->kv.n_layers,
                .k_width = (uint32_t)s->kv.k_width,
                .v_width = (uint32_t)s->kv.v_width,
                .state_width = s->mtp.states ? (uint32_t)e->shape.n_embd : 0,
                .n_vocab = (uint32_t)e->shape.n_vocab,
                .n_tokens = (uint32_t)s->kv.len,
                .has_logits = s->has_logits};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    memcpy(h.model, engine_model_hash(s->engine), sizeof h.model);
    lora_hash(&s->lora, hex);
    memcpy(h.adapters, hex, sizeof h.adapters);
    return h;
}

static uint64_t count_file_bytes(const Header *h)
{
    uint64_t rows = (uint64_t)h->n_layers * ((uint64_t)h->k_width + h->v_width) + h->state_width;
    return sizeof *h + h->n_tokens * (sizeof(int32_t) + rows * sizeof(uint16_t)) +
           (h->has_logits ? h->n_vocab * sizeof(float) : 0);
}

// Calls visit for every part after the header, in order. It stops where visit returns false.
typedef bool (*VisitPart)(void *user, void *bytes, size_t n_bytes);
static bool visit_parts(Session *s, int n, bool has_logits, VisitPart visit, void *user)
{
    const Kv *kv = &s->kv;
    size_t rows = (size_t)n, half = sizeof(uint16_t);
    bool ok = visit(user, s->ids, rows * sizeof *s->ids);
    for (int l = 0; ok && l < kv->n_layers; l++)
        ok = visit(user, kv_keys(kv, l), rows * kv->k_width * half);
    for (int l = 0; ok && kv->v_width && l < kv->n_layers; l++)
        ok = visit(user, kv_values(kv, l), rows * kv->v_width * half);
    if (ok && s->mtp.states)
        ok = visit(user, s->mtp.states, rows * (size_t)s->engine->shape.n_embd * half);
    if (ok && has_logits)
        ok = visit(user, s->logits, (size_t)s->engine->shape.n_vocab * sizeof *s->logits);
    return ok;
}

// --- saving --------------------------------------------------------------------------------------

typedef struct Transfer {
    int fd;        // that is read, or
    NewFile *file; // that is written
    const char *path;
    uint64_t checksum;
    EngineCancel cancel;
    Error *err;
} Transfer;

static bool add_checksum(void *user, void *bytes, size_t n_bytes)
{
    Transfer *t = user;
    t->checksum = session_checksum(t->checksum, bytes, n_bytes);
    return !engine_is_cancelled(t->cancel, t->err);
}

static bool write_part(void *user, void *bytes, size_t n_bytes)
{
    Transfer *t = user;
    return !engine_is_cancelled(t->cancel, t->err) &&
           new_file_write(t->file, bytes, n_bytes, t->err);
}

static bool write_file(Session *s, Transfer *t)
{
    Header h = make_header(s);
    t->checksum = session_checksum(0, &h, sizeof h);
    if (!visit_parts(s, s->kv.len, s->has_logits, add_checksum, t)) return false;
    h.checksum = t->checksum;
    return write_part(t, &h, sizeof h) && visit_parts(s, s->kv.len, s->has_logits, write_part, t);
}

bool session_save(Session *session, const char *path, EngineCancel cancel, Error *err)
{
    NewFile file;
    Transfer t = {.file = &file, .path = path, .cancel = cancel, .err = err};
    bool ok = new_file_open(&file, path, err) && write_file(session, &t);
    return new_file_end(&file, ok, err);
}

// --- loading -------------------------------------------------------------------------------------

// All n bytes; false at the file's end or with an error.
static bool read_all(int fd, void *bytes, size_t n)
{
    char *p = bytes;
    while (n) {
        ssize_t done = read(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        p += done, n -= (size_t)done;
    }
    return true;
}

static bool check_word(const char *path, const char *what, uint32_t found, uint32_t wanted,
                       Error *err)
{
    return found == wanted || error_set(err, ERROR_INVALID, "%.120s: %s %u, this session has %u",
                                        path, what, found, wanted);
}

static bool check_dims(const Header *h, const Header *own, const char *path, Error *err)
{
    if (memcmp(h->model, own->model, sizeof h->model) != 0)
        return error_set(err, ERROR_INVALID, "%.120s: of model %.12s.., this one is %.12s..", path,
                         h->model, own->model);
    return check_word(path, "cache type", h->cache_type, own->cache_type, err) &&
           check_word(path, "layers", h->n_layers, own->n_layers, err) &&
           check_word(path, "key width", h->k_width, own->k_width, err) &&
           check_word(path, "value width", h->v_width, own->v_width, err) &&
           check_word(path, "state width", h->state_width, own->state_width, err) &&
           check_word(path, "vocabulary", h->n_vocab, own->n_vocab, err);
}

// Opens and checks what can be checked without reading the rows. -1 with an error.
static int open_file(const char *path, Header *h, Error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0) {
        error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%.160s: %s", path,
                  strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        error_set(err, ERROR_INVALID, "%.160s is no file", path);
    else if (!read_all(fd, h, sizeof *h) || memcmp(h->magic, MAGIC, sizeof MAGIC) != 0)
        error_set(err, ERROR_DAMAGED, "%.160s is no saved session", path);
    else if (h->version != VERSION)
        error_set(err, ERROR_UNSUPPORTED, "%.120s: version %u of saved sessions, wanted %d", path,
                  h->version, VERSION);
    else if (h->header_bytes != sizeof *h || h->n_layers > 1 << 12 || h->k_width > 1 << 20 ||
             h->v_width > 1 << 20 || h->state_width > 1 << 20 || h->n_vocab > 1 << 24 ||
             h->n_tokens > 1 << 20 || h->has_logits > 1)
        error_set(err, ERROR_DAMAGED, "%.160s: a header of impossible sizes", path);
    else if ((uint64_t)st.st_size != count_file_bytes(h))
        error_set(err, ERROR_DAMAGED, "%.120s: %llu bytes, wanted %llu", path,
                  (unsigned long long)st.st_size, (unsigned long long)count_file_bytes(h));
    if (err->code == ERROR_NONE) return fd;
    close(fd);
    return -1;
}

static bool read_part(void *user, void *bytes, size_t n_bytes)
{
    Transfer *t = user;
    if (!read_all(t->fd, bytes, n_bytes))
        return error_set(t->err, ERROR_DAMAGED, "%.160s ends too early", t->path);
    t->checksum = session_checksum(t->checksum, bytes, n_bytes);
    return true;
}

static bool read_rows(Session *s, const Header *h, Transfer *t)
{
    Header bare = *h;
    bare.checksum = 0;
    t->checksum = session_checksum(0, &bare, sizeof bare);
    if (!visit_parts(s, (int)h->n_tokens, h->has_logits, read_part, t)) return false;
    if (t->checksum != h->checksum)
        return error_set(t->err, ERROR_DAMAGED, "%.120s: checksum %016llx, wanted %016llx", t->path,
                         (unsigned long long)t->checksum, (unsigned long long)h->checksum);
    return h->n_tokens == 0 || session_check_ids(s, s->ids, (int)h->n_tokens, s->kv.n_ctx, t->err);
}

bool session_load(Session *session, const char *path, Error *err)
{
    Header h, own = make_header(session);
    int fd = open_file(path, &h, err);
    if (fd < 0) return false;
    bool ok = check_dims(&h, &own, path, err);
    if (ok && memcmp(h.adapters, own.adapters, sizeof h.adapters) != 0)
        ok = error_set(err, ERROR_INVALID, "%.120s: saved with other adapters", path);
    if (ok && h.n_tokens > (uint32_t)session->kv.n_ctx)
        ok = error_set(err, ERROR_TOO_LARGE, "%.120s: %u tokens, this session holds %d", path,
                       h.n_tokens, session->kv.n_ctx);
    if (ok) {
        session_forget(session);
        Transfer t = {.fd = fd, .path = path, .err = err};
        ok = read_rows(session, &h, &t);
        session->kv.len = ok ? (int)h.n_tokens : 0;
        session->has_logits = ok && h.has_logits && h.n_tokens > 0;
    }
    close(fd);
    return ok;
}

int *session_file_ids(const Session *session, const char *path, int *n, Error *err)
{
    Header h, own = make_header(session);
    int fd = open_file(path, &h, err), *ids = NULL;
    if (fd < 0) return NULL;
    if (check_dims(&h, &own, path, err)) {
        ids = mem_alloc((size_t)h.n_tokens * sizeof *ids);
        *n = (int)h.n_tokens;
        if (!read_all(fd, ids, (size_t)h.n_tokens * sizeof *ids)) {
            error_set(err, ERROR_DAMAGED, "%.160s ends too early", path);
            free(ids);
            ids = NULL;
        }
    }
    close(fd);
    return ids;
}
