// Folders of safetensors as models that open: the folder is converted once, and the GGUF file is
// kept in the cache and used again until something in the folder changes.
//
// A cached file is named NAME-PLACE-CONTENTS.gguf: the folder's name, a hash of its path, and a
// hash of what it holds: of JSON files and templates every byte, of safetensors size, time of
// change, header and samples of the data. A folder has one file: the one before is removed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

typedef struct FolderModelOptions {
    const char *folder;
    const char *cache; // a folder that is there
    int n_threads;     // 0: one per core
    // As in WriteJob; also asked, with 0 of 1, while another process makes the same file.
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
} FolderModelOptions;

// True if the path is a folder (or a link to one).
bool folder_model_is_folder(const char *path);
// The path of the folder's GGUF file in *path (of the arena), which is made where there is none.
// Weights keep their types; FP8 becomes BF16. Before the first weight is read, the plan of the file
// has passed the engine's checks and fits into this machine's memory and onto the disk. Any thread.
// ERROR_TOO_LARGE or ERROR_NO_MEMORY with the figures, ERROR_CANCELLED, ERROR_IO, and errors as of
// convert_folder.
bool folder_model_find(const FolderModelOptions *options, Arena *arena, Str *path, Error *err);
