// Open addressing over one block of bytes: names are never taken out, so nothing has to be marked
// as deleted.
#include "index/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_SLOTS = 1024, AHEAD = 16 };

void names_clear(Names *names)
{
    free(names->bytes);
    free(names->starts);
    free(names->letters);
    free(names->slots);
    *names = (Names){0};
}

Str names_text(const Names *names, uint32_t id)
{
    uint64_t start = names->starts[id];
    return (Str){names->bytes + start, (size_t)(names->starts[id + 1] - start)};
}

// FNV-1a: its last step leaves names that end differently near each other, which spares the cache.
// What is known of the letters comes with it at no cost: the hash waits for its multiplications.
static size_t hash_name(Str name, uint32_t *letters)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    uint32_t seen = 0;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        // Letters of both cases share their last five bits. What else shares them is as good as a
        // letter.
        seen |= UINT32_C(1) << (c & 31u);
        hash = (hash ^ c) * 0x100000001b3ull;
    }
    *letters = seen;
    return (size_t)hash;
}

uint32_t names_letters(Str text)
{
    uint32_t letters;
    hash_name(text, &letters);
    return letters;
}

static size_t find_slot(const Names *names, Str name, uint32_t *letters)
{
    size_t mask = names->n_slots - 1, at = hash_name(name, letters) & mask;
    while (names->slots[at] && !str_equal(names_text(names, names->slots[at] - 1), name))
        at = (at + 1) & mask;
    return at;
}

void names_sort(Names *names)
{
    if (names->n_slots == 0) names->n_slots = FIRST_SLOTS;
    while ((size_t)names->n * 3 >= names->n_slots * 2)
        names->n_slots *= 2;
    free(names->slots);
    names->slots = mem_zero(names->n_slots * sizeof *names->slots);
    // A slot is anywhere in memory: it is fetched while the next names are hashed.
    size_t mask = names->n_slots - 1, places[AHEAD] = {0};
    for (size_t id = 0; id < (size_t)names->n + AHEAD; id++) {
        size_t *place = &places[id % AHEAD];
        if (id >= AHEAD) { // all are different: no comparison is needed
            while (names->slots[*place])
                *place = (*place + 1) & mask;
            names->slots[*place] = (uint32_t)(id - AHEAD) + 1;
        }
        if (id >= names->n) continue;
        *place = hash_name(names_text(names, (uint32_t)id), &names->letters[id]) & mask;
        __builtin_prefetch(&names->slots[*place], 1);
    }
}

void names_append(Names *names, Str name)
{
    if (names->n + 2 > names->cap) {
        names->cap = names->cap ? names->cap * 2 : FIRST_SLOTS;
        names->starts = mem_resize(names->starts, names->cap * sizeof *names->starts);
        names->letters = mem_resize(names->letters, names->cap * sizeof *names->letters);
    }
    if (names->n_bytes + name.len > names->cap_bytes) {
        names->cap_bytes = 2 * names->cap_bytes + name.len + FIRST_SLOTS;
        names->bytes = mem_resize(names->bytes, names->cap_bytes);
    }
    if (names->n == 0) names->starts[0] = 0;
    if (name.len) memcpy(names->bytes + names->n_bytes, name.ptr, name.len);
    names->n_bytes += name.len;
    names->starts[++names->n] = names->n_bytes;
}

uint32_t names_intern(Names *names, Str name)
{
    if ((size_t)names->n * 3 >= names->n_slots * 2) names_sort(names);
    uint32_t letters;
    size_t at = find_slot(names, name, &letters);
    if (names->slots[at]) return names->slots[at] - 1;
    if (names->n >= NAMES_NONE - 2) abort();
    names_append(names, name);
    names->letters[names->n - 1] = letters;
    names->slots[at] = names->n;
    return names->n - 1;
}

uint32_t names_find(const Names *names, Str name)
{
    if (names->n == 0 || names->n_slots == 0) return NAMES_NONE;
    uint32_t letters, slot = names->slots[find_slot(names, name, &letters)];
    return slot ? slot - 1 : NAMES_NONE;
}

size_t names_memory(const Names *names)
{
    return names->cap_bytes + names->cap * (sizeof *names->starts + sizeof *names->letters) +
           names->n_slots * sizeof *names->slots;
}
