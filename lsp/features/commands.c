// workspace/executeCommand: one row for each command in commands.h.
#include "features/commands.h"

#include "features/test_results.h"

static const char *const names[] = {
#define X(symbol, name, handler) name,
    COMMANDS(X)
#undef X
};

static bool (*const handlers[])(Call *call, Json *argument, Error *err) = {
#define X(symbol, name, handler) handler,
    COMMANDS(X)
#undef X
};

void commands_offer(Json *caps)
{
    Json *provider = types_put_object(caps, "executeCommandProvider");
    Json *list = types_put_array(provider, "commands");
    for (int i = 0; i < N_COMMANDS; i++)
        json_object_array_add(list, types_new_str(str_from(names[i])));
    types_put_bool(provider, "workDoneProgress", true);
}

Json *commands_new(Command command, Str title, Json *argument)
{
    Json *value = json_object_new_object();
    types_put_str(value, "title", title);
    types_put_text(value, "command", names[command]);
    json_object_array_add(types_put_array(value, "arguments"), argument);
    return value;
}

// --- doing

static void on_applied(Connection *conn, uint64_t serial, Json *result, Json *failure)
{
    Request *request = request_find(conn, serial);
    if (failure || !types_bool(result, "applied"))
        connection_show(conn, 2, "The editor did not apply the edit; the text may have changed.");
    if (request) request_reply(request, NULL);
}

void commands_answer(Request *request, const LoopResult *result)
{
    Connection *conn = request->conn;
    if (result->tests_ran) test_results_take(conn, projects_of(conn, request->doc)->root, result);
    if (result->explanation.len) {
        connection_show(conn, 3, arena_str(request->arena, result->explanation).ptr);
        request_reply(request, NULL);
        return;
    }
    if (!result->found) {
        // A run of the tests was to change nothing.
        const char *told = result->tests_ran ? arena_str(request->arena, result->summary).ptr
                                             : act_message(request, result);
        connection_show(conn, result->tests_pass ? 3 : 2, told);
        request_reply(request, NULL);
        return;
    }
    Json *params = json_object_new_object();
    types_put_text(params, "label", "r1ls");
    types_put(params, "edit", act_new_edit(request, result));
    connection_call(conn, "workspace/applyEdit", params, on_applied, request->serial);
}

bool commands_run_task(Call *call, Json *argument, Error *err)
{
    return act_on_target(call, argument, commands_answer, err);
}

bool commands_execute(Call *call, Error *err)
{
    Str command = types_str(call->params, "command");
    int i = 0;
    while (i < N_COMMANDS && !str_equal(command, str_from(names[i])))
        i++;
    if (i == N_COMMANDS)
        return error_set(err, ERROR_INVALID, "unknown command '%.80s', wanted one that is offered",
                         command.ptr ? command.ptr : "");
    if (!call->conn->caps.apply_edit)
        return error_set(err, ERROR_UNSUPPORTED, "the client offers no workspace/applyEdit");
    Json *arguments = types_get(call->params, "arguments");
    Json *argument = json_object_is_type(arguments, json_type_array)
                         ? json_object_array_get_idx(arguments, 0)
                         : NULL;
    return handlers[i](call, argument, err);
}
