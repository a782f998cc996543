// Everything in a digest is a place in the text, so that what is kept is moved by one addition.
#include "index/digest.h"

#include <string.h>

#include "base/mem.h"
#include "index/semantic.h"
#include "workspace/syntax_diff.h"

static Str text_of(const Digest *digest)
{
    return text_str(syntax_text(digest->syntax));
}

static Symbol move_symbol(const Symbol *symbol, const SyntaxDiff *diff, Str text)
{
    Symbol out = *symbol;
    out.range = syntax_diff_move(diff, symbol->range);
    out.name_range = syntax_diff_move(diff, symbol->name_range);
    out.head = syntax_diff_move(diff, symbol->head);
    if (symbol->owner.end) out.owner = syntax_diff_move(diff, symbol->owner);
    out.name = str_slice(text, out.name_range.start, out.name_range.end);
    return out;
}

// Both lists are in order, and what is new stands where something is gone.
static void merge_symbols(const Digest *before, const SyntaxDiff *diff, PlainSymbols new,
                          Digest *out)
{
    size_t n_old = before->plain.n_symbols, n = 0, at = 0;
    Symbol *symbols = arena_array(out->arena, n_old + new.n_symbols, sizeof *symbols);
    for (size_t i = 0; i <= n_old; i++) {
        const Symbol *old = i < n_old ? &before->plain.symbols[i] : NULL;
        bool behind = !old || old->name_range.start >= diff->before.end;
        for (; behind && at < new.n_symbols; at++)
            if (syntax_diff_adds(diff, new.symbols[at].name_range)) symbols[n++] = new.symbols[at];
        if (old && !syntax_diff_drops(diff, old->name_range))
            symbols[n++] = move_symbol(old, diff, text_of(out));
    }
    out->plain.symbols = symbols;
    out->plain.n_symbols = n;
}

static ByteRange place_of(Str part, Str text)
{
    size_t start = (size_t)(part.ptr - text.ptr);
    return (ByteRange){start, start + part.len};
}

static void merge_imports(const Digest *before, const SyntaxDiff *diff, PlainSymbols new,
                          Digest *out)
{
    size_t n_old = before->plain.n_imports, n = 0, at = 0;
    Str *imports = arena_array(out->arena, n_old + new.n_imports, sizeof *imports);
    Str text = text_of(out);
    for (size_t i = 0; i <= n_old; i++) {
        ByteRange old = {SIZE_MAX, SIZE_MAX};
        if (i < n_old) old = place_of(before->plain.imports[i], text_of(before));
        for (; old.start >= diff->before.end && at < new.n_imports; at++)
            if (syntax_diff_adds(diff, place_of(new.imports[at], text)))
                imports[n++] = new.imports[at];
        if (i == n_old || syntax_diff_drops(diff, old)) continue;
        old = syntax_diff_move(diff, old);
        imports[n++] = str_slice(text, old.start, old.end);
    }
    out->plain.imports = imports;
    out->plain.n_imports = n;
}

static bool has_all(const Digest *digest, const Syntax *syntax, bool with_semantics)
{
    return digest && digest->syntax == syntax && (digest->semantics || !with_semantics);
}

Digest *digest_new(const Syntax *syntax, const Digest *before, bool with_semantics)
{
    if (has_all(before, syntax, with_semantics)) return digest_retain(before);
    Digest *digest = mem_zero(sizeof *digest);
    atomic_init(&digest->n_refs, 1);
    digest->syntax = syntax_retain(syntax);
    digest->arena = arena_new();
    if (before && syntax_language(before->syntax) != syntax_language(syntax)) before = NULL;
    SyntaxDiff diff = before ? syntax_diff(before->syntax, syntax) : syntax_diff_whole(syntax);
    PlainSymbols new = symbols_collect_plain(syntax, diff.now, digest->arena);
    if (before) {
        merge_symbols(before, &diff, new, digest);
        merge_imports(before, &diff, new, digest);
    } else {
        digest->plain = new;
    }
    // A document that somebody colours goes on being coloured.
    if (with_semantics || (before && before->semantics))
        digest->semantics = semantics_new(digest, before, &diff);
    return digest;
}

Digest *digest_retain(const Digest *digest)
{
    Digest *d = (Digest *)(uintptr_t)digest;
    if (d) atomic_fetch_add_explicit(&d->n_refs, 1, memory_order_relaxed);
    return d;
}

void digest_release(const Digest *digest)
{
    Digest *d = (Digest *)(uintptr_t)digest;
    if (!d || atomic_fetch_sub_explicit(&d->n_refs, 1, memory_order_acq_rel) != 1) return;
    semantics_free(d->semantics);
    arena_free(d->arena);
    syntax_release(d->syntax);
    free(d);
}
