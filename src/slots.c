// A row of slots: some for documents, the last one for the loop.
#include "slots.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/memory_use.h"

enum { MIN_INTERACTIVE_SLOTS = 2, MAX_INTERACTIVE_SLOTS = 8, N_SLOTS = MAX_INTERACTIVE_SLOTS + 1 };
enum { LOOP_SLOT = MAX_INTERACTIVE_SLOTS };
static const uint64_t SLOT_CACHE_BYTES = (uint64_t)512 << 20; // of all interactive sessions, full

typedef struct Slot {
    Session *session;
    unsigned long long path_hash;
    unsigned last_used; // 0: never
    bool dirty;         // used since it was saved
    bool taken;
} Slot;

struct Slots {
    Engine *engine;
    SlotsLimits limits;
    uint64_t session_bytes; // of a full one
    PrefixCache *prefixes;  // NULL: nothing is saved
    Slot items[N_SLOTS];
    int n_interactive;
    unsigned n_runs, n_newest; // runs so far; the last one of a document
};

// --- memory --------------------------------------------------------------------------------------

static uint64_t count_free_bytes(uint64_t max_bytes)
{
    uint64_t has = memory_use_read().anonymous;
    if (max_bytes == 0) return UINT64_MAX;
    return max_bytes > has ? max_bytes - has : 0;
}

bool slots_check_memory(uint64_t max_bytes, uint64_t n_bytes, const char *what, Error *err)
{
    uint64_t left = count_free_bytes(max_bytes);
    if (n_bytes <= left) return true;
    const double mega = 1 << 20;
    return error_set(err, ERROR_NO_MEMORY,
                     "%s needs %.0f MB, the limit of %.0f MB (memoryMegabytes) leaves %.0f MB",
                     what, (double)n_bytes / mega, (double)max_bytes / mega, (double)left / mega);
}

// For one more session those that rest longest make room.
static bool make_room(Slots *slots, uint64_t max_bytes, Error *err)
{
    for (;;) {
        Error refused = {0};
        Slot *oldest = NULL;
        if (slots_check_memory(max_bytes, slots->session_bytes, "one more prompt", &refused))
            return true;
        for (Slot *slot = slots->items; slot < slots->items + N_SLOTS; slot++)
            if (slot->session && !slot->taken && (!oldest || slot->last_used < oldest->last_used))
                oldest = slot;
        if (!oldest) return error_set(err, refused.code, "%s", refused.text);
        session_free(oldest->session);
        *oldest = (Slot){0};
        memory_use_trim();
    }
}

// --- life ----------------------------------------------------------------------------------------

// As many sessions as fit where each is full.
static int choose_n_slots(uint64_t session_bytes, uint64_t max_bytes)
{
    uint64_t all = count_free_bytes(max_bytes) / 2;
    if (all > SLOT_CACHE_BYTES) all = SLOT_CACHE_BYTES;
    uint64_t n = session_bytes ? all / session_bytes : MAX_INTERACTIVE_SLOTS;
    if (n < MIN_INTERACTIVE_SLOTS) return MIN_INTERACTIVE_SLOTS;
    return n > MAX_INTERACTIVE_SLOTS ? MAX_INTERACTIVE_SLOTS : (int)n;
}

Slots *slots_new(Engine *engine, SlotsLimits limits, uint64_t max_bytes, Error *err)
{
    const EngineInfo *info = engine_info(engine);
    int n_ctx = limits.n_ctx;
    if (n_ctx == 0)
        n_ctx = info->n_ctx_train < ENGINE_DEFAULT_CTX ? info->n_ctx_train : ENGINE_DEFAULT_CTX;
    uint64_t session_bytes = (uint64_t)info->cache_bytes_per_token * (uint64_t)n_ctx;
    if (!slots_check_memory(max_bytes, session_bytes, "the open model's prompt", err)) return NULL;
    Slots *slots = mem_zero(sizeof *slots);
    slots->engine = engine;
    slots->limits = limits;
    slots->session_bytes = session_bytes;
    slots->n_interactive = choose_n_slots(session_bytes, max_bytes);
    slots->prefixes = prefix_cache_new(limits.prefix_cache_bytes);
    return slots;
}

void slots_free(Slots *slots)
{
    if (!slots) return;
    for (int i = 0; i < N_SLOTS; i++) {
        assert(!slots->items[i].taken);
        session_free(slots->items[i].session);
    }
    prefix_cache_free(slots->prefixes);
    free(slots);
}

PrefixCache *slots_prefixes(Slots *slots)
{
    return slots->prefixes;
}

// --- use -----------------------------------------------------------------------------------------

static Slot *choose_slot(Slots *slots, Str path, bool is_loop)
{
    if (is_loop) return &slots->items[LOOP_SLOT];
    unsigned long long hash = str_hash(path, 0);
    Slot *oldest = &slots->items[0];
    for (int i = 0; i < slots->n_interactive; i++) {
        Slot *slot = &slots->items[i];
        if (slot->last_used && slot->path_hash == hash) return slot;
        if (slot->last_used < oldest->last_used) oldest = slot;
    }
    return oldest;
}

Session *slots_take(Slots *slots, Str path, bool is_loop, uint64_t max_bytes, Error *err)
{
    Slot *slot = choose_slot(slots, path, is_loop);
    assert(!slot->taken);
    if (!slot->session) {
        if (!make_room(slots, max_bytes, err)) return NULL;
        slot->session = session_new(slots->engine, slots->limits.n_ctx, err);
    }
    if (!slot->session) return NULL;
    slot->path_hash = str_hash(path, 0);
    slot->last_used = ++slots->n_runs;
    if (!is_loop) slots->n_newest = slot->last_used;
    slot->dirty = !is_loop;
    slot->taken = true;
    return slot->session;
}

void slots_put_back(Slots *slots, Session *session)
{
    Slot *slot = slots->items;
    while (slot->session != session)
        slot++;
    slot->taken = false;
}

// --- saving --------------------------------------------------------------------------------------

static bool save_slot(Slots *slots, Slot *slot, EngineCancel cancel)
{
    Error err = {0};
    bool ok = prefix_cache_save(slots->prefixes, slots->engine, slot->session, cancel, &err);
    slot->dirty = !ok && err.code == ERROR_CANCELLED;
    if (!ok && !slot->dirty) log_info("a prompt is not saved: %s", err.text);
    return !slot->dirty;
}

static Slot *find_dirty(const Slots *slots, bool newest_too)
{
    for (int i = 0; slots->prefixes && i < slots->n_interactive; i++) {
        const Slot *slot = &slots->items[i];
        if (slot->session && slot->dirty && (newest_too || slot->last_used < slots->n_newest))
            return (Slot *)slot;
    }
    return NULL;
}

bool slots_have_old(const Slots *slots)
{
    return find_dirty(slots, false) != NULL;
}

void slots_save_old(Slots *slots, EngineCancel cancel)
{
    Slot *slot = find_dirty(slots, false);
    if (slot) save_slot(slots, slot, cancel);
}

bool slots_save_all(Slots *slots, EngineCancel cancel)
{
    Slot *slot;
    while ((slot = find_dirty(slots, true)))
        if (!save_slot(slots, slot, cancel)) return false;
    return true;
}

void slots_trim(Slots *slots, EngineCancel cancel)
{
    while (slots_have_old(slots))
        if (!save_slot(slots, find_dirty(slots, false), cancel)) break;
    for (Slot *slot = slots->items; slot < slots->items + N_SLOTS; slot++) {
        if (!slot->session || slot->taken || slot->last_used == slots->n_newest) continue;
        session_free(slot->session);
        *slot = (Slot){0};
    }
}
