// URIs of documents and the file paths behind them.
#pragma once

#include "base/arena.h"

// The path of a file: URI, percent-decoded, in the arena. The empty slice for other schemes
// ("untitled:"), for other hosts and for a URI with an encoded NUL: such documents have no file.
Str uri_to_path(Str uri, Arena *arena);
// file:// and the path with everything outside the unreserved characters and '/' encoded.
Str uri_from_path(Str path, Arena *arena);
// The last part of a URI or path, decoded: what names the document to a person and a language.
Str uri_base_name(Str uri, Arena *arena);
