// What the client tells of folders and files outside of open documents.
#include "features/features.h"
#include "uri.h"
#include "workspace.h"

static Str path_of(Json *item, const char *key, Arena *arena)
{
    Str path = uri_to_path(types_str(item, key), arena);
    while (path.len > 1 && str_ends(path, STR("/")))
        path.len--;
    return path;
}

bool folders_changed(Call *call, Error *err)
{
    Json *added = types_get(call->params, "event.added");
    Json *removed = types_get(call->params, "event.removed");
    if (!json_object_is_type(added, json_type_array) ||
        !json_object_is_type(removed, json_type_array))
        return error_set(err, ERROR_INVALID, "a change of folders without added and removed");
    for (size_t i = 0; i < json_object_array_length(removed); i++) {
        Str path = path_of(json_object_array_get_idx(removed, i), "uri", call->arena);
        workspace_remove_folder(call->conn, path);
        projects_remove(call->conn, path);
    }
    for (size_t i = 0; i < json_object_array_length(added); i++) {
        Str path = path_of(json_object_array_get_idx(added, i), "uri", call->arena);
        projects_add(call->conn, path);
        workspace_add_folder(call->conn, path);
    }
    return true;
}

static bool tell_index(Call *call, const char *list, const char *const *keys, Error *err)
{
    Json *items = types_get(call->params, list);
    if (!json_object_is_type(items, json_type_array))
        return error_set(err, ERROR_INVALID, "params without %s", list);
    for (size_t i = 0; i < json_object_array_length(items); i++)
        for (const char *const *key = keys; *key; key++) {
            Str path = path_of(json_object_array_get_idx(items, i), *key, call->arena);
            if (path.len) workspace_file_changed(call->conn, path);
        }
    return true;
}

bool folders_files_changed(Call *call, Error *err)
{
    static const char *const keys[] = {"uri", NULL};
    return tell_index(call, "changes", keys, err);
}

bool folders_files_moved(Call *call, Error *err)
{
    static const char *const keys[] = {"uri", "oldUri", "newUri", NULL};
    return tell_index(call, "files", keys, err);
}
