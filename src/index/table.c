#include "index/table.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEF_BYTES = (1 << 24) - 1 };

static_assert(sizeof(PackedDef) == 20, "stored as it is");

void table_clear(Table *table)
{
    for (size_t i = 0; i < table->n_files; i++)
        free(table->files[i].defs);
    free(table->files);
    free(table->heads);
    VEC_FREE(&table->postings);
    names_clear(&table->names);
    names_clear(&table->paths);
    *table = (Table){0};
}

int table_family(Str path)
{
    char name[NAME_MAX + 1];
    path = str_base_name(path);
    if (path.len == 0 || path.len >= sizeof name) return 0;
    memcpy(name, path.ptr, path.len);
    name[path.len] = 0;
    return language_family(language_by_path(name));
}

uint32_t table_find(const Table *table, Str path)
{
    return names_find(&table->paths, path);
}

const uint32_t *table_file_names(const TableFile *file)
{
    return (const uint32_t *)(file->defs + file->n_defs);
}

const uint32_t *table_file_imports(const TableFile *file)
{
    return table_file_names(file) + file->n_names;
}

static size_t block_bytes(uint32_t n_defs, uint32_t n_names, uint32_t n_imports)
{
    return (size_t)n_defs * sizeof(PackedDef) + ((size_t)n_names + n_imports) * sizeof(uint32_t);
}

Str table_block(const TableFile *file)
{
    return (Str){(const char *)file->defs,
                 block_bytes(file->n_defs, file->n_names, file->n_imports)};
}

// --- postings

const Posting *table_next(const Table *table, const Posting *posting)
{
    return posting->next ? &table->postings.items[posting->next - 1] : NULL;
}

const Posting *table_first(const Table *table, uint32_t name)
{
    if (name >= table->n_heads || !table->heads[name]) return NULL;
    return &table->postings.items[table->heads[name] - 1];
}

static void make_heads(Table *table)
{
    if (table->names.n > table->cap_heads) {
        size_t cap = table->cap_heads * 2 > table->names.n ? table->cap_heads * 2 : table->names.n;
        table->heads = mem_resize(table->heads, cap * sizeof *table->heads);
        table->cap_heads = cap;
    }
    while (table->n_heads < table->names.n)
        table->heads[table->n_heads++] = 0;
}

static void add_posting(Table *table, uint32_t name, uint32_t file)
{
    uint32_t *head = &table->heads[name];
    // A name that the file defines twice was the last to be added for it.
    if (*head && table->postings.items[*head - 1].file == file) return;
    uint32_t at = table->free_posting;
    if (at) {
        table->free_posting = table->postings.items[at - 1].next;
    } else {
        VEC_PUSH(&table->postings, (Posting){0});
        at = (uint32_t)table->postings.n;
    }
    table->postings.items[at - 1] = (Posting){file, *head};
    *head = at;
}

static void remove_posting(Table *table, uint32_t name, uint32_t file)
{
    uint32_t *link = &table->heads[name];
    while (*link && table->postings.items[*link - 1].file != file)
        link = &table->postings.items[*link - 1].next;
    if (!*link) return; // removed for an earlier definition of the same name
    uint32_t at = *link;
    *link = table->postings.items[at - 1].next;
    table->postings.items[at - 1] = (Posting){0, table->free_posting};
    table->free_posting = at;
}

// --- files

static void drop_block(Table *table, uint32_t number)
{
    TableFile *file = &table->files[number];
    for (uint32_t i = 0; i < file->n_defs; i++)
        remove_posting(table, file->defs[i].name, number);
    table->n_defs -= file->n_defs;
    table->block_bytes -= table_block(file).len;
    free(file->defs);
    file->defs = NULL;
    file->n_defs = file->n_names = file->n_imports = 0;
}

static void adopt_block(Table *table, uint32_t number, PackedDef *block, const uint32_t counts[3])
{
    TableFile *file = &table->files[number];
    file->defs = block;
    file->n_defs = counts[0];
    file->n_names = counts[1];
    file->n_imports = counts[2];
    make_heads(table);
    for (uint32_t i = 0; i < file->n_defs; i++)
        add_posting(table, block[i].name, number);
    table->n_defs += file->n_defs;
    table->block_bytes += table_block(file).len;
}

static uint32_t get_file(Table *table, Str path)
{
    uint32_t number = names_intern(&table->paths, path);
    if (number >= table->cap_files) {
        table->cap_files = table->cap_files ? table->cap_files * 2 : 256;
        table->files = mem_resize(table->files, table->cap_files * sizeof *table->files);
    }
    if (number == table->n_files)
        table->files[table->n_files++] =
            (TableFile){.rank = 1, .family = (unsigned char)table_family(path)};
    return number;
}

static void mark_existing(Table *table, uint32_t number, FileStamp stamp, TagsSkip skip)
{
    TableFile *file = &table->files[number];
    if (!file->exists) table->n_existing++;
    file->exists = true;
    file->stamp = stamp;
    file->skip = skip;
}

static PackedDef pack(Table *table, const Symbol *symbol, Str container)
{
    size_t n_bytes = symbol->range.end - symbol->range.start;
    return (PackedDef){
        .name = names_intern(&table->names, symbol->name),
        .container = container.len ? names_intern(&table->names, container) : NAMES_NONE,
        .start = (uint32_t)symbol->range.start,
        .name_start = (uint32_t)symbol->name_range.start,
        .n_bytes = (uint32_t)(n_bytes < MAX_DEF_BYTES ? n_bytes : MAX_DEF_BYTES) & MAX_DEF_BYTES,
        .kind = (unsigned)symbol->kind & 31u,
        .is_declaration = symbol->is_declaration,
        .is_private = symbol->is_private};
}

uint32_t table_put(Table *table, Str path, FileStamp stamp, const Tags *tags, TagsSkip skip)
{
    uint32_t number = get_file(table, path);
    drop_block(table, number);
    mark_existing(table, number, stamp, skip);
    if (!tags) return number;
    uint32_t counts[3] = {(uint32_t)tags->n_symbols, (uint32_t)tags->n_names,
                          (uint32_t)tags->n_imports};
    PackedDef *block = mem_alloc(block_bytes(counts[0], counts[1], counts[2]));
    for (size_t i = 0; i < tags->n_symbols; i++)
        block[i] = pack(table, &tags->symbols[i], tags->containers[i]);
    uint32_t *ids = (uint32_t *)(block + tags->n_symbols);
    for (size_t i = 0; i < tags->n_names; i++)
        *ids++ = names_intern(&table->names, tags->names[i]);
    for (size_t i = 0; i < tags->n_imports; i++)
        *ids++ = names_intern(&table->names, tags->imports[i]);
    adopt_block(table, number, block, counts);
    return number;
}

void table_remove(Table *table, uint32_t number)
{
    if (!table->files[number].exists) return;
    drop_block(table, number);
    table->files[number].exists = false;
    table->n_existing--;
}

static bool is_sound(const Table *table, const uint32_t counts[3], Str block)
{
    for (int i = 0; i < 3; i++)
        if (counts[i] > block.len / sizeof(uint32_t)) return false;
    if (block_bytes(counts[0], counts[1], counts[2]) != block.len) return false;
    PackedDef def;
    for (uint32_t i = 0; i < counts[0]; i++) {
        memcpy(&def, block.ptr + i * sizeof def, sizeof def);
        bool known = def.container == NAMES_NONE || def.container < table->names.n;
        if (def.name >= table->names.n || !known || def.kind > SYMBOL_KEY) return false;
    }
    for (size_t at = counts[0] * sizeof def; at < block.len; at += sizeof(uint32_t)) {
        uint32_t id;
        memcpy(&id, block.ptr + at, sizeof id);
        if (id >= table->names.n) return false;
    }
    return true;
}

bool table_restore(Table *table, Str path, FileStamp stamp, TagsSkip skip, float rank,
                   const uint32_t counts[3], Str block)
{
    if (!is_sound(table, counts, block)) return false;
    uint32_t number = get_file(table, path);
    drop_block(table, number);
    mark_existing(table, number, stamp, skip);
    table->files[number].rank = rank;
    PackedDef *copy = mem_alloc(block.len);
    if (block.len) memcpy(copy, block.ptr, block.len);
    adopt_block(table, number, copy, counts);
    return true;
}

size_t table_memory(const Table *table)
{
    return names_memory(&table->names) + names_memory(&table->paths) + table->block_bytes +
           table->cap_files * sizeof *table->files + table->cap_heads * sizeof *table->heads +
           table->postings.cap * sizeof *table->postings.items;
}
