#include "features/members.h"

#include "features/meaning.h"

enum { MAX_ALIASES = 4 };

bool members_is_context(const TextSnap *text, const Language *lang, size_t byte_off)
{
    bool scope;
    Str all = text_str(text);
    while (byte_off > 0 && (all.ptr[byte_off - 1] == ' ' || all.ptr[byte_off - 1] == '\t'))
        byte_off--;
    return lang && dotted_operator(all, byte_off, &scope) > 0;
}

size_t members_find(const Question *q, size_t byte_off, IndexHit **out)
{
    Dotted dotted;
    *out = NULL;
    if (!q->syntax || !dotted_before(text_str(q->text), byte_off, &dotted)) return 0;
    Meaning m = meaning_of_dotted(q, &dotted);
    return meaning_members(q, &m, out);
}

Str members_receiver_type(const Question *q, size_t byte_off)
{
    Dotted dotted;
    if (!q->syntax || !dotted_before(text_str(q->text), byte_off, &dotted)) return STR("");
    Meaning m = meaning_of_dotted(q, &dotted);
    Str type = m.kind == MEANS_VALUE ? m.type : STR("");
    for (int i = 0; i < MAX_ALIASES && type.len; i++)
        type = meaning_without_alias(q, type);
    return type;
}
