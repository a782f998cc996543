// What a chain such as `a.b(x)[i]` means, as far as declarations say it: a value of some type, a
// type, a function or a module. What is not certain means nothing. On a worker.
#pragma once

#include "features/dotted.h"
#include "features/modules.h"

typedef enum MeaningKind {
    MEANS_NOTHING, // that is known
    MEANS_VALUE,
    MEANS_TYPE,
    MEANS_FUNCTION,
    MEANS_MODULE,
} MeaningKind;

typedef struct Meaning {
    MeaningKind kind;
    Str type;     // of a VALUE or the TYPE: its name; of a FUNCTION without a hit: what it returns
    Str inner;    // of a VALUE: what its type has in brackets first, or is an array of
    Str path;     // of the file that defines a TYPE, or that names the MODULE; may be empty
    Str module;   // as modules_files wants it
    IndexHit hit; // the definition of a FUNCTION or TYPE, where it is known
    ModuleFiles files; // of the MODULE
} Meaning;

// Of a chain in the question's document.
Meaning meaning_of_dotted(const Question *question, const Dotted *dotted);
// What a chain may go on with: members, a module's definitions; the type's own before its bases'.
size_t meaning_members(const Question *question, const Meaning *meaning, IndexHit **out);
// What an import brings into the document under this name.
Meaning meaning_of_import(const Question *question, Str name);
// What a type is another name of; itself where it is none.
Str meaning_without_alias(const Question *question, Str type);
