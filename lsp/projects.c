// A list with the connection's root at its head: there are few, and a look-up is a comparison of
// paths. Files are read at once: they are small, and what hangs on them must not be shown wrongly.
#include "projects.h"

#include <string.h>

#include "compile.h"
#include "features/features.h"
#include "surprises.h"
#include "trust.h"
#include "workspace.h"

// --- one folder

static void configure(const Connection *conn, ProjectSettings *project)
{
    config_copy(&project->config, &conn->config);
    dotfile_configure(&project->file, &project->config);
    project->trusted = conn->config.trusted || project->listed;
}

static void read_file(Connection *conn, ProjectSettings *project)
{
    Error err = {0};
    arena_free(project->arena);
    project->arena = arena_new();
    project->file = (Dotfile){0};
    Str root = str_from(project->root);
    if (root.len &&
        !dotfile_read(root, NULL, project->trusted, project->arena, &project->file, &err)) {
        connection_log(conn, 1, "%s", err.text);
        project->file = (Dotfile){0};
    }
    configure(conn, project);
}

static void read_trust(const Connection *conn, ProjectSettings *project)
{
    project->listed = trust_has(project->root);
    project->trusted = conn->config.trusted || project->listed;
}

static ProjectSettings *find(const Connection *conn, Str root)
{
    ProjectSettings *project = conn->projects;
    while (project && !str_equal(str_from(project->root), root))
        project = project->next;
    return project;
}

static ProjectSettings *add(Connection *conn, Str root)
{
    ProjectSettings *project = find(conn, root), **end = &conn->projects;
    if (project) return project;
    project = mem_zero(sizeof *project);
    project->root = mem_zero(root.len + 1);
    if (root.len) memcpy(project->root, root.ptr, root.len);
    config_init(&project->config);
    read_trust(conn, project);
    read_file(conn, project);
    while (*end)
        end = &(*end)->next;
    *end = project;
    return project;
}

static void free_project(ProjectSettings *project)
{
    config_deinit(&project->config);
    arena_free(project->arena);
    free(project->root);
    free(project);
}

// --- all

void projects_start(Connection *conn)
{
    add(conn, str_from(conn->root));
    for (size_t i = 0; i < conn->folders.n; i++)
        add(conn, str_from(conn->folders.items[i]));
}

void projects_end(Connection *conn)
{
    while (conn->projects) {
        ProjectSettings *project = conn->projects;
        conn->projects = project->next;
        free_project(project);
    }
}

// What is shown of the project's documents; NULL: of all.
static void judge_anew(Connection *conn, const ProjectSettings *project)
{
    diagnostics_setting_changed(conn, project);
    code_lens_refresh(conn);
    for (Document *doc = conn->documents.first; doc; doc = doc->next) {
        if (project && projects_of(conn, doc) != project) continue;
        compile_schedule(conn, doc);
        surprises_schedule(conn, doc);
    }
}

void projects_add(Connection *conn, Str root)
{
    if (root.len == 0 || find(conn, root)) return;
    judge_anew(conn, add(conn, root));
}

void projects_remove(Connection *conn, Str root)
{
    ProjectSettings *project = find(conn, root), **link = &conn->projects;
    if (!project || project == conn->projects) return;
    while (*link != project)
        link = &(*link)->next;
    *link = project->next;
    free_project(project);
    judge_anew(conn, NULL);
}

static bool is_within(Str path, Str root)
{
    return root.len && str_starts(path, root) &&
           (path.len == root.len || path.ptr[root.len] == '/' || str_ends(root, STR("/")));
}

const ProjectSettings *projects_around(const Connection *conn, Str path)
{
    const ProjectSettings *best = NULL;
    for (const ProjectSettings *project = conn->projects; project; project = project->next) {
        if (!is_within(path, str_from(project->root))) continue;
        if (!best || strlen(project->root) > strlen(best->root)) best = project;
    }
    return best ? best : conn->projects;
}

const ProjectSettings *projects_of(const Connection *conn, const Document *doc)
{
    return projects_around(conn, doc ? str_from(doc->path) : STR(""));
}

void projects_configure(Connection *conn)
{
    for (ProjectSettings *project = conn->projects; project; project = project->next)
        configure(conn, project);
}

void projects_read_trust(Connection *conn)
{
    for (ProjectSettings *project = conn->projects; project; project = project->next) {
        read_trust(conn, project);
        read_file(conn, project); // a trusted one may set more
    }
}

void projects_file_changed(Connection *conn, Str path)
{
    Str name = STR("/" DOTFILE_NAME);
    if (!str_ends(path, name)) return;
    ProjectSettings *project = find(conn, str_slice(path, 0, path.len - name.len));
    if (!project) return;
    int had_files = project->config.index_files;
    read_file(conn, project);
    if (project->config.index_files != had_files) workspace_restart(conn, project->root);
    judge_anew(conn, project);
}
