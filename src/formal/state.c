// Slots, names and states.
#include "formal/translate.h"

#include <string.h>

static Cell fresh_cell(Translator *t, const Slot *slot)
{
    int bits = slot->type.kind == C_POINTER ? 64 : slot->type.bits;
    Cell cell = {.base = BASE_NONE};
    cell.value = term_const(t->terms, bits, 0);
    cell.init = term_bool(t->terms, false);
    if (slot->is_array) {
        cell.value = term_array_const(t->terms, cell.value);
        cell.init = term_array_const(t->terms, term_const(t->terms, 1, 0));
    }
    return cell;
}

// Cells for the slots that came since, as a switch may jump past a declaration.
static void pad(Translator *t, State *state, int n)
{
    if (state->n >= n) return;
    Cell *cells = arena_array(t->arena, (size_t)n + 8, sizeof *cells);
    if (state->n) memcpy(cells, state->cells, (size_t)state->n * sizeof *cells);
    for (int i = state->n; i < n; i++)
        cells[i] = fresh_cell(t, &t->slots.items[i]);
    state->cells = cells;
    state->n = n;
}

int slot_push(Translator *t, Slot slot)
{
    Name name = {slot.name, (int)t->slots.n};
    VEC_PUSH(&t->slots, slot);
    VEC_PUSH(&t->names, name);
    pad(t, &t->state, (int)t->slots.n);
    return name.slot;
}

void state_cut(Translator *t, State *state, int n_slots)
{
    (void)t;
    if (state->n > n_slots) state->n = n_slots;
    for (int i = 0; i < state->n; i++)
        if (state->cells[i].base >= n_slots) state->cells[i].base = BASE_GONE;
}

void scope_close(Translator *t, size_t n_names, int n_slots)
{
    t->names.n = n_names;
    t->slots.n = (size_t)n_slots;
    state_cut(t, &t->state, n_slots);
}

int name_find(const Translator *t, Str name)
{
    for (size_t i = t->names.n; i > 0; i--) {
        bool visible = i > t->first_name || i <= t->n_globals;
        if (visible && str_equal(t->names.items[i - 1].name, name))
            return t->names.items[i - 1].slot;
    }
    return -1;
}

State state_copy(Translator *t, const State *state)
{
    State copy = *state;
    copy.cells = arena_array(t->arena, (size_t)state->n + 8, sizeof *copy.cells);
    if (state->n) memcpy(copy.cells, state->cells, (size_t)state->n * sizeof *copy.cells);
    return copy;
}

State state_under(Translator *t, const State *state, Term path)
{
    State copy = state_copy(t, state);
    copy.path = path;
    return copy;
}

static int merge_base(Translator *t, TSNode node, Cell a, Cell b)
{
    if (a.base == b.base) return a.base;
    // Without a value yet on one of the ways: reading it there is a violation of its own.
    if (a.base == BASE_NONE && term_is_false(t->terms, a.init)) return b.base;
    if (b.base == BASE_NONE && term_is_false(t->terms, b.init)) return a.base;
    stop_at(t, node, "a pointer that may point into one of several arrays");
    return BASE_NONE;
}

State state_merge(Translator *t, TSNode node, const State *a, const State *b)
{
    if (term_is_false(t->terms, a->path)) return state_copy(t, b);
    if (term_is_false(t->terms, b->path)) return state_copy(t, a);
    State out = state_copy(t, a), other = *b;
    int n = a->n > b->n ? a->n : b->n;
    pad(t, &out, n);
    if (other.n < n) {
        other = state_copy(t, b);
        pad(t, &other, n);
    }
    out.path = term_or(t->terms, a->path, b->path);
    for (int i = 0; i < n; i++) {
        Cell x = out.cells[i], y = other.cells[i];
        if (x.value == y.value && x.init == y.init && x.base == y.base) continue;
        out.cells[i].base = merge_base(t, node, x, y);
        out.cells[i].value = term_ite(t->terms, a->path, x.value, y.value);
        out.cells[i].init = term_ite(t->terms, a->path, x.init, y.init);
    }
    return out;
}

Value value_merge(Translator *t, TSNode node, Term condition, Value a, Value b)
{
    if (a.type.kind == C_VOID || b.type.kind == C_VOID) return a;
    if (a.type.kind == C_POINTER) {
        if (a.base != b.base)
            stop_at(t, node, "a pointer that may point into one of several arrays");
        a.term = term_ite(t->terms, condition, a.term, b.term);
        return a;
    }
    a.term = term_ite(t->terms, condition, a.term, b.term);
    return a;
}
