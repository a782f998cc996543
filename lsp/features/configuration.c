// Settings: flags, then initializationOptions, then what the client says later; each laid over the
// one before.
#include "base/log.h"
#include "compile.h"
#include "features/features.h"
#include "server_private.h"
#include "surprises.h"
#include "workspace.h"

static void warn(void *user, const char *line)
{
    connection_log(user, 2, "settings: %s", line);
}

void configuration_init(Connection *conn, Json *options)
{
    config_apply_json(&conn->config_base, options, warn, conn);
    config_copy(&conn->config, &conn->config_base);
}

typedef struct IndexSettings {
    int files, kilobytes, megabytes, threads, all_megabytes;
    bool store;
    unsigned long long ignore;
} IndexSettings;

static IndexSettings index_settings(const Config *config)
{
    return (IndexSettings){config->index_files,
                           config->index_file_kilobytes,
                           config->index_megabytes,
                           config->index_threads,
                           config->memory_megabytes,
                           config->index_store,
                           str_hash(str_from(config->index_ignore), 0)};
}

static bool is_same_index(IndexSettings a, IndexSettings b)
{
    return a.files == b.files && a.kilobytes == b.kilobytes && a.megabytes == b.megabytes &&
           a.threads == b.threads && a.all_megabytes == b.all_megabytes && a.store == b.store &&
           a.ignore == b.ignore;
}

static void apply(Connection *conn, Json *settings)
{
    Config had;
    config_init(&had);
    config_copy(&had, &conn->config);
    config_copy(&conn->config, &conn->config_base);
    config_apply_json(&conn->config, settings, warn, conn);
    projects_configure(conn);
    if (had.diagnostics != conn->config.diagnostics || had.surprise < conn->config.surprise ||
        had.surprise > conn->config.surprise ||
        !str_equal(str_from(had.rules_off), str_from(conn->config.rules_off)))
        diagnostics_setting_changed(conn, NULL);
    compile_schedule_all(conn);
    if (had.trusted != conn->config.trusted || had.code_lens != conn->config.code_lens)
        code_lens_refresh(conn);
    for (Document *doc = conn->documents.first; doc; doc = doc->next)
        surprises_schedule(conn, doc);
    // Other windows' wishes count until this one's change.
    Error err = {0};
    if (!config_is_same_engine(&had, &conn->config) &&
        !server_start_engine(conn->server, &conn->config, &err))
        connection_log(conn, 1, "no engine: %s", err.text);
    upkeep_configure(server_upkeep(conn->server));
    if (conn->roots && !is_same_index(index_settings(&had), index_settings(&conn->config)))
        workspace_restart(conn, NULL);
    config_deinit(&had);
}

static void on_settings(Connection *conn, uint64_t serial, Json *result, Json *failure)
{
    (void)serial;
    if (failure || !json_object_is_type(result, json_type_array)) return;
    apply(conn, json_object_array_get_idx(result, 0));
}

void configuration_pull(Connection *conn)
{
    if (!conn->caps.configuration) return;
    Json *params = json_object_new_object(), *item = json_object_new_object();
    types_put_text(item, "section", "r1ls");
    json_object_array_add(types_put_array(params, "items"), item);
    connection_call(conn, "workspace/configuration", params, on_settings, 0);
}

bool configuration_changed(Call *call, Error *err)
{
    (void)err;
    Json *settings = types_get(call->params, "settings");
    Json *section = types_get(settings, "r1ls");
    if (section)
        apply(call->conn, section);
    else if (call->conn->caps.configuration)
        configuration_pull(call->conn);
    else if (settings)
        apply(call->conn, settings);
    return true;
}
