// textDocument/codeLens: above each test "Run tests" and "Debug", above each other function "Test
// this function". Nothing is offered where nothing could be run: the folder has to be trusted and
// to have tests.
#include "features/commands.h"
#include "index/test_functions.h"
#include "parsing.h"
#include "verify/project.h"

enum { MAX_LENSES = 2000 };

static void put_lens(const Request *request, Json *lenses, ByteRange name, Json *command)
{
    Json *lens = json_object_new_object();
    types_put(
        lens, "range",
        types_new_range(position_from_range(request->doc->text, name, request->conn->encoding)));
    types_put(lens, "command", command);
    json_object_array_add(lenses, lens);
}

static void put_test(const Request *request, Json *lenses, const TestFunction *test)
{
    put_lens(request, lenses, test->name_range,
             commands_new(COMMAND_RUN_TASK, STR("Run tests"),
                          act_new_target(request, TASK_RUN, test->name_range)));
    Json *target = act_new_target(request, TASK_RUN, test->name_range);
    types_put_str(target, "name", test->name);
    put_lens(request, lenses, test->name_range,
             commands_new(COMMAND_DEBUG_TEST, STR("Debug"), target));
}

static void put_function(const Request *request, Json *lenses, const TestFunction *function)
{
    Task task;
    ByteRange at = function->name_range;
    if (!task_find(request->doc->syntax, TASK_TESTS, at, &task)) return;
    put_lens(request, lenses, at,
             commands_new(COMMAND_RUN_TASK, STR("Test this function"),
                          act_new_target(request, TASK_TESTS, at)));
}

static void answer(Request *request)
{
    const Document *doc = request->doc;
    Json *lenses = json_object_new_array();
    TestFunction *found = NULL;
    size_t n = 0;
    bool in_tests = project_is_test_file(str_from(doc->name));
    if (doc->syntax && act_may_test(request->conn, doc))
        n = test_functions_collect(doc->syntax, request->arena, &found);
    for (size_t i = 0; i < n && json_object_array_length(lenses) < MAX_LENSES; i++) {
        if (found[i].is_test && (in_tests || found[i].is_marked))
            put_test(request, lenses, &found[i]);
        else if (!in_tests)
            put_function(request, lenses, &found[i]);
    }
    request_reply(request, lenses);
}

bool code_lens_request(Call *call, Error *err)
{
    return structure_start(call, sync_config(call)->code_lens, answer, err);
}

void code_lens_refresh(Connection *conn)
{
    if (conn->caps.code_lens_refresh && projects_of(conn, NULL)->config.code_lens)
        connection_call(conn, "workspace/codeLens/refresh", NULL, NULL, 0);
}
