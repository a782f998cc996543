// Edits of several files as one WorkspaceEdit. Loop thread.
#pragma once

#include "workspace.h"

typedef struct FileEdit {
    LspRange range;
    Str text;
} FileEdit;

typedef struct FileEdits {
    Str path; // as the index has it
    FileEdit *items;
    size_t n;
} FileEdits;

// In the form that the client takes; open documents with their version. label: for people; clients
// that can are told to ask first where there are several files.
Json *file_edits_new(const Request *request, const FileEdits *files, size_t n_files, Str label);
