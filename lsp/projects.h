// Projects: what the folders of a connection say of themselves in their .r1ls.json, and whether the
// user trusts them. Each folder's file holds for the documents in it. Loop thread.
#pragma once

#include "config.h"
#include "connection.h"
#include "dotfile.h"

typedef struct ProjectSettings {
    // Read-only.
    char *root; // absolute; "" where the connection has no folder
    Dotfile file;
    Config config; // the client's settings, with what the file sets
    bool trusted;  // by the settings or by the user's list of folders
    // Private.
    bool listed;
    Arena *arena; // of file
    struct ProjectSettings *next;
} ProjectSettings;

// Reads those of conn->root and conn->folders. What cannot be read says nothing, and the client is
// told.
void projects_start(Connection *conn);
void projects_end(Connection *conn);
// A folder that comes or goes. The connection's root stays.
void projects_add(Connection *conn, Str root);
void projects_remove(Connection *conn, Str root);

// The innermost folder around the document, else the connection's root. NULL: that root.
const ProjectSettings *projects_of(const Connection *conn, const Document *doc);
// The same of a path.
const ProjectSettings *projects_around(const Connection *conn, Str path);

// The client's settings (conn->config) are others.
void projects_configure(Connection *conn);
// The user's list of trusted folders is another.
void projects_read_trust(Connection *conn);
// A file was made, changed or removed: where it is a folder's .r1ls.json, it is taken over for that
// folder's documents.
void projects_file_changed(Connection *conn, Str path);
