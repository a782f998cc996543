"""Diagnostics by push and pull, symbol completion, and the code action in all its forms."""

import copy
import time

from driver import Client, FOLDER, FULL_CAPS, SANDBOX, at, run_tests, write_file

URI = "file:///tmp/work/a.c"
DOC = {"textDocument": {"uri": URI}}
BAD, GOOD = "int f(void)\n{\n    return 1\n}\n", "int f(void)\n{\n    return 1;\n}\n"


# --- diagnostics

def test_push():
    client = Client()
    published = lambda: [n["params"] for n in client.notes
                         if n["method"] == "textDocument/publishDiagnostics"]
    assert "diagnosticProvider" not in client.initialized["capabilities"]
    client.open(URI, BAD)
    first = client.until(published)[0]
    assert first["version"] == 1 and len(first["diagnostics"]) == 1, first
    assert first["diagnostics"][0]["range"]["start"]["line"] in (2, 3)
    for version in range(2, 8):
        client.change(URI, version, {"text": BAD if version < 7 else GOOD})
    last = client.until(lambda: len(published()) > 1 and published()[-1])
    assert last["version"] == 7 and last["diagnostics"] == []
    assert len(published()) == 2, "the edits in between were not debounced"
    client.change(URI, 8, {"text": BAD})
    client.note("textDocument/publishDiagnostics", lambda p: p.get("version") == 8)
    client.notify("textDocument/didClose", DOC)
    client.until(lambda: published()[-1]["diagnostics"] == [] and len(published()) == 4)
    client.close()


def test_pull():
    caps = copy.deepcopy(FULL_CAPS)
    caps["textDocument"]["diagnostic"] = {}
    client = Client(caps=caps)
    assert client.initialized["capabilities"]["diagnosticProvider"]["workspaceDiagnostics"] is True
    client.open(URI, BAD)
    report = client.ask("textDocument/diagnostic", DOC)
    assert report["kind"] == "full" and len(report["items"]) == 1
    again = client.ask("textDocument/diagnostic", dict(DOC, previousResultId=report["resultId"]))
    assert again == {"kind": "unchanged", "resultId": report["resultId"]}
    client.change(URI, 2, {"text": GOOD})
    after = client.ask("textDocument/diagnostic", dict(DOC, previousResultId=report["resultId"]))
    assert after["kind"] == "full" and after["items"] == []
    assert client.ask("textDocument/diagnostic", {"textDocument": {"uri": "untitled:x"}})["items"] == []
    time.sleep(0.4)
    assert not [n for n in client.notes if n["method"].endswith("publishDiagnostics")]
    client.close()


def test_diagnostics_follow_the_setting():
    client = Client()
    client.open(URI, BAD)
    client.note("textDocument/publishDiagnostics", lambda p: p["diagnostics"])
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"diagnostics": False}}})
    client.until(lambda: client.notes[-1]["params"].get("diagnostics") == [])
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {}}})
    client.until(lambda: client.notes[-1]["params"].get("diagnostics"))
    client.close()


# --- completion

def complete(client, uri, line, character):
    return client.ask("textDocument/completion", {
        "textDocument": {"uri": uri}, "position": {"line": line, "character": character}})


def test_completion_and_resolve():
    write_file("root/lib/shapes.c", "// Area of a square.\nint square_area(int side)\n{\n    return side * side;\n}\n")
    write_file("root/node_modules/x/y.c", "int square_ignored(void) { return 0; }\n")
    write_file("root/.hidden/z.c", "int square_hidden(void) { return 0; }\n")
    client = Client(rootUri="file://" + FOLDER + "/root")
    other = "file://" + FOLDER + "/root/other.c"
    client.open(other, "int square_open(int a)\n{\n    return a;\n}\n")
    client.open(URI, "int main(void)\n{\n    return squ\n}\n")
    def labels():
        return {item["label"]: item for item in complete(client, URI, 2, 14)["items"]}
    client.until(lambda: not client.ask("r1ls/status", {})["scanning"])
    client.until(lambda: "square_open" in labels())
    items = labels()
    assert set(items) == {"square_area", "square_open"}, items.keys()
    item = items["square_area"]
    assert item["kind"] == 3 and item["detail"] == "shapes.c", item
    assert item["textEdit"] == {"range": at(2, 11, 14), "newText": "square_area"}
    assert item["sortText"] > "zzzz"
    resolved = client.ask("completionItem/resolve", item)
    assert resolved["documentation"]["value"] == "Area of a square.", resolved
    assert resolved["detail"] == "int square_area(int side)", resolved
    assert client.ask("completionItem/resolve", {"label": "x"}) == {"label": "x"}
    client.close()


SNIPPET_CAPS = copy.deepcopy(FULL_CAPS)
SNIPPET_CAPS["textDocument"]["completion"] = {
    "completionItem": {"snippetSupport": True, "insertTextModeSupport": {"valueSet": [1, 2]}}}


def items_at(client, statement, typed):
    """What is offered behind `typed` in a function that holds the statement."""
    text = CALLED + "int main(void)\n{\n    %s\n}\n" % statement
    client.change(URI, 2, {"text": text})
    client.ask("textDocument/foldingRange", DOC)
    items = complete(client, URI, 8, 4 + statement.index(typed) + len(typed))["items"]
    return {(item["label"], item["kind"]): item for item in items}


CALLED = "int square_area(int side, const char *name)\n{\n    return side;\n}\n#define square_of(x) ((x) * (x))\n#define square_bits 4\n"


def test_snippets():
    client = Client(caps=SNIPPET_CAPS)
    client.open(URI, CALLED)
    client.until(lambda: ("square_area", 3) in items_at(client, "squ", "squ"))
    found = items_at(client, "whi", "whi")
    snippet = found["while", 15]
    assert snippet["insertTextFormat"] == 2 and snippet["insertTextMode"] == 2, snippet
    assert snippet["textEdit"]["newText"] == "while (${1:condition}) {\n    $0\n}", snippet
    assert "insertTextFormat" not in found["while", 14]
    # Where a statement begins, and only there.
    for line in ["x = whi", "f(whi", "// whi", "a.whi", "\"whi\""]:
        assert ("while", 15) not in items_at(client, line, "whi"), line
    assert ("main", 15) not in items_at(client, "mai", "mai")
    # Calls bring their parameters; not where the brackets stand already.
    found = items_at(client, "squ", "squ")
    assert found["square_area", 3]["textEdit"]["newText"] == "square_area(${1:int side}, ${2:const char *name})", found
    assert found["square_of", 21]["textEdit"]["newText"] == "square_of(${1:x})"
    assert found["square_bits", 21]["textEdit"]["newText"] == "square_bits"
    found = items_at(client, "squ(3)", "squ")
    assert found["square_area", 3]["textEdit"]["newText"] == "square_area"
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"snippets": False, "callSnippets": False}}})
    found = items_at(client, "squ", "squ")
    assert found["square_area", 3]["textEdit"]["newText"] == "square_area"
    assert ("while", 15) not in items_at(client, "whi", "whi")
    client.close()


def test_snippets_need_the_client():
    client = Client()
    client.open(URI, CALLED)
    client.until(lambda: ("square_area", 3) in items_at(client, "squ", "squ"))
    found = items_at(client, "squ", "squ")
    assert found["square_area", 3]["textEdit"]["newText"] == "square_area" and "insertTextFormat" not in found["square_area", 3]
    assert ("while", 15) not in items_at(client, "whi", "whi")
    client.close()


# --- the code action

HOLE = "// The sum of both.\nint add(int a, int b)\n{\n}\n"
BODY = "answer {\\n =>     return a + b;\\n}\\n\nanswer { => \\n    return a + b;\\n}\\n\n"


def list_actions(client, line=1, **context):
    return client.ask("textDocument/codeAction", {
        "textDocument": {"uri": URI}, "range": at(line, 4), "context": {"diagnostics": [], **context}})


def test_actions_are_listed_without_the_model():
    client = Client("open_ms 1500\n" + BODY)
    client.open(URI, HOLE + GOOD)
    start = time.monotonic()
    actions = list_actions(client)
    assert time.monotonic() - start < 1
    assert len(actions) == 1 and actions[0]["kind"] == "refactor.rewrite.r1ls", actions
    assert actions[0]["tags"] == [1] and "edit" not in actions[0] and "command" not in actions[0]
    assert list_actions(client, line=6) == []
    assert list_actions(client, only=["quickfix"]) == []
    assert list_actions(client, only=["refactor.rewriteX"]) == []
    assert len(list_actions(client, only=["quickfix", "refactor"])) == 1
    client.close()


def apply_edits(text, edits):
    assert len(edits) == 1
    lines, place = text.split("\n"), edits[0]["range"]
    def offset(position):
        return sum(len(l) + 1 for l in lines[:position["line"]]) + position["character"]
    return text[:offset(place["start"])] + edits[0]["newText"] + text[offset(place["end"]):]


def test_resolve_writes_the_body():
    client = Client(BODY)
    client.open(URI, HOLE, version=3)
    action = client.ask("codeAction/resolve", list_actions(client)[0])
    change = action["edit"]["documentChanges"][0]
    assert change["textDocument"] == {"uri": URI, "version": 3}
    annotation = action["edit"]["changeAnnotations"][change["edits"][0]["annotationId"]]
    # Untrusted: parsed only, so the user is asked.
    assert annotation["needsConfirmation"] is True and "generated" in annotation["label"]
    assert "    return a + b;" in apply_edits(HOLE, change["edits"]).split("\n")
    client.close()


def test_resolve_for_a_simple_client():
    caps = {"textDocument": {"codeAction": FULL_CAPS["textDocument"]["codeAction"]}}
    client = Client(BODY, caps=caps)
    client.open(URI, HOLE)
    edit = client.ask("codeAction/resolve", list_actions(client)[0])["edit"]
    assert list(edit) == ["changes"] and "return a + b;" in edit["changes"][URI][0]["newText"]
    client.close()


def test_trusted_bodies_are_compiled():
    path = write_file("trusted/add.c", HOLE)
    uri = "file://" + path
    client = Client(BODY, options={"trusted": True}, rootUri="file://" + FOLDER + "/trusted")
    client.open(uri, HOLE)
    action = client.ask("textDocument/codeAction", {
        "textDocument": {"uri": uri}, "range": at(1, 4), "context": {"diagnostics": []}})[0]
    edit = client.ask("codeAction/resolve", action)["edit"]
    annotation = edit["changeAnnotations"]["r1ls"]
    # A compiler says that it is code, not that it does what it is to do.
    assert annotation["needsConfirmation"] is True, annotation
    assert annotation["label"].startswith(
        "generated (compiles, no tests ran), but no test and no example tells"), annotation
    client.close()


def test_what_did_not_compile_is_mended_when_it_does():
    wrong = BUGGY.replace("c;", "a;")
    client = Client(BODY, options={"trusted": True}, rootUri="file://" + FOLDER + "/trusted")
    for name, text, message, asks in (("undeclared.c", BUGGY, UNDECLARED["message"], False),
                                      ("wrong.c", wrong, "add(1, 2) is 2, wanted 3", True)):
        uri = "file://" + write_file("trusted/" + name, text)
        client.open(uri, text)
        found = client.ask("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": at(3, 4),
            "context": {"diagnostics": [dict(UNDECLARED, message=message)]}})
        edit = client.ask("codeAction/resolve", found[0])["edit"]
        assert apply_edits(text, edit["documentChanges"][0]["edits"]) == BUGGY.replace("c;", "b;")
        annotation = edit["changeAnnotations"]["r1ls"]
        assert annotation["needsConfirmation"] is asks, annotation
        assert ("it compiled before" in annotation["label"]) == asks, annotation
    client.close()


def test_nothing_passes():
    client = Client("answer { => \\n    return (((;\\n}\\n\nanswer {\\n =>     return (((;\\n}\\n\n")
    client.open(URI, HOLE)
    action = list_actions(client)[0]
    resolved = client.ask("codeAction/resolve", action)
    assert resolved == action
    assert "changed nothing" in client.note("window/showMessage")["message"]
    client.close()


BUGGY = "// The sum of both.\nint add(int a, int b)\n{\n    return a + c;\n}\n"
UNDECLARED = {"range": at(3, 15, 16), "severity": 1, "message": "'c' undeclared (first use in this function)"}


def test_a_diagnostic_is_fixed():
    client = Client(BODY)
    client.open(URI, BUGGY)
    actions = list_actions(client, line=3, diagnostics=[UNDECLARED])
    assert [a["kind"] for a in actions] == ["quickfix"], actions
    assert actions[0]["title"] == "Fix: 'c' undeclared (first use in this function)"
    assert actions[0]["diagnostics"] == [UNDECLARED]
    assert list_actions(client, line=3) == []
    assert list_actions(client, line=3, diagnostics=[UNDECLARED], only=["refactor"]) == []
    edit = client.ask("codeAction/resolve", actions[0])["edit"]
    assert edit["changeAnnotations"]["r1ls"]["needsConfirmation"] is True  # untrusted: only parsed
    assert apply_edits(BUGGY, edit["documentChanges"][0]["edits"]) == BUGGY.replace("c;", "b;")
    client.close()


def test_odd_diagnostics_and_targets_are_survived():
    client = Client(BODY)
    client.open(URI, BUGGY)
    long = dict(UNDECLARED, message="\u00e9" * 200 + "\nmore")
    assert list_actions(client, line=3, diagnostics=[5, {}, {"message": "x"}, {"range": at(3, 0)}]) == []
    assert list_actions(client, line=3, diagnostics=7) == []
    (action,) = list_actions(client, line=3, diagnostics=[long])
    assert action["title"].endswith("\u00e9...") and len(action["title"]) < 80
    for change in ({"task": "dance"}, {"task": 5}, {"range": None}):
        assert client.fail("codeAction/resolve", dict(action, data=dict(action["data"], **change))) == -32602
    there = dict(action["data"], task="body")  # the function has a body
    assert client.fail("codeAction/resolve", dict(action, data=there)) == -32803
    client.close()


def test_tests_are_run_by_a_command():
    path = write_file("tested/add.c", BUGGY.replace("c;", "b;"))
    uri = "file://" + path
    for command, level, word in (("true", 3, "tests pass"), ("echo 'FAILED: add is 1'; false", 2, "FAILED: add is 1")):
        client = Client(BODY, options={"trusted": True, "testCommand": command, "sandbox": SANDBOX},
                        rootUri="file://" + FOLDER + "/tested")
        client.open(uri, BUGGY.replace("c;", "b;"))
        actions = client.ask("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": at(3, 4), "context": {"diagnostics": []}})
        (action,) = [a for a in actions if a["title"] == "Run the tests of this function"]
        assert client.ask("workspace/executeCommand", action["command"]) is None
        note = client.note("window/showMessage")
        assert note["type"] == level and word in note["message"], note
        client.close()


def test_failing_tests_are_diagnostics_until_they_pass():
    good = BUGGY.replace("c;", "b;")
    write_file("failing/add.c", good)
    test = write_file("failing/tests/test_add.c", "int main(void)\n{\n    assert(add(1, 2) == 4);\n}\n")
    uri, root = "file://" + FOLDER + "/failing/add.c", "file://" + FOLDER + "/failing"
    line = "t: tests/test_add.c:3: main: Assertion `add(1, 2) == 4' failed."
    client = Client(BODY, options={"trusted": True, "testCommand": "cat >&2 out; test ! -s out", "sandbox": SANDBOX}, rootUri=root)
    client.open(uri, good)
    def run(said):
        write_file("failing/out", said)
        (action,) = [a for a in client.ask("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": at(3, 4), "context": {"diagnostics": []}})
            if a["title"] == "Run the tests of this function"]
        client.ask("workspace/executeCommand", action["command"])
    run(line + "\n")
    shown = client.note("textDocument/publishDiagnostics", lambda p: p["uri"] == uri and p["diagnostics"])["diagnostics"]
    assert [(d["source"], d["code"], d["range"]["start"]["line"]) for d in shown] == [("r1ls", "test", 1)], shown
    (related,) = shown[0]["relatedInformation"]
    assert related["location"]["uri"] == "file://" + test and related["location"]["range"]["start"]["line"] == 2
    assert "Assertion `add(1, 2) == 4' failed" in related["message"] and "Assertion" in shown[0]["message"]
    fixes = client.ask("textDocument/codeAction", {"textDocument": {"uri": uri}, "range": at(1, 4),
                                                   "context": {"diagnostics": shown, "only": ["quickfix"]}})
    assert fixes[0]["title"].startswith("Fix: a test fails: Assertion"), fixes
    run("src/gone.c:1: error: x\nnowhere.c:3: main: Assertion `1' failed.\n")  # places that are not there
    run("")
    client.until(lambda: [n for n in client.notes if n["method"] == "textDocument/publishDiagnostics"][-1]["params"]["diagnostics"] == [])
    client.close()


def test_tests_that_are_found_are_offered():
    write_file("found/a.c", BUGGY)
    write_file("found/Makefile", "test:\n\ttrue\n")
    uri = "file://" + FOLDER + "/found/a.c"
    for trusted in (True, False):
        client = Client(BODY, options={"trusted": trusted, "sandbox": SANDBOX}, rootUri="file://" + FOLDER + "/found")
        client.open(uri, BUGGY)
        start = time.monotonic()
        actions = client.ask("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": at(3, 4), "context": {"diagnostics": []}})
        print("listed in %.1f ms" % (1000 * (time.monotonic() - start)))
        assert ("Run the tests of this function" in [a["title"] for a in actions]) == trusted, actions
        client.close()


def test_an_edit_makes_the_action_void():
    client = Client(BODY)
    client.open(URI, HOLE)
    action = list_actions(client)[0]
    client.change(URI, 2, {"range": at(0, 0), "text": "\n"})
    assert client.fail("codeAction/resolve", action) == -32801
    assert client.fail("codeAction/resolve", {"title": "x"}) == -32602
    client.close()


def command_client(script, applied=True):
    caps = copy.deepcopy(FULL_CAPS)
    del caps["textDocument"]["codeAction"]["resolveSupport"]
    client = Client(script, caps=caps)
    client.replies["workspace/applyEdit"] = {"applied": applied}
    client.open(URI, HOLE)
    return client, list_actions(client)[0]["command"]


def test_nothing_is_listed_that_could_not_be_applied():
    caps = copy.deepcopy(FULL_CAPS)
    caps["workspace"]["applyEdit"] = False
    client = Client(BODY, caps=caps)
    client.open(URI, HOLE)
    assert [a["title"] for a in list_actions(client)], "resolve needs no command"
    client.close()
    del caps["textDocument"]["codeAction"]["resolveSupport"]
    client = Client(BODY, caps=caps)
    client.open(URI, HOLE)
    assert list_actions(client) == []
    client.close()


def test_the_command_applies_the_edit():
    client, command = command_client("token_ms 10\n" + BODY)
    assert client.ask("workspace/executeCommand", dict(command, title="x")) is None
    methods = [call["method"] for call in client.calls]
    assert methods == ["window/workDoneProgress/create", "workspace/applyEdit"], methods
    edits = client.calls[1]["params"]["edit"]["documentChanges"][0]["edits"]
    assert "return a + b;" in apply_edits(HOLE, edits)
    kinds = [n["params"]["value"]["kind"] for n in client.notes if n["method"] == "$/progress"]
    assert kinds[0] == "begin" and kinds[-1] == "end" and kinds.count("end") == 1, kinds
    client.close()


def test_a_refused_edit_is_told():
    client, command = command_client(BODY, applied=False)
    client.ask("workspace/executeCommand", command)
    assert "did not apply" in client.note("window/showMessage")["message"]
    client.close()


def test_progress_can_be_cancelled():
    client, command = command_client("token_ms 100\n" + BODY)
    id = client.request("workspace/executeCommand", dict(command, workDoneToken="mine"))
    client.note("$/progress")
    client.notify("window/workDoneProgress/cancel", {"token": "mine"})
    assert client.answer(id)["error"]["code"] == -32800
    assert client.note("$/progress")["value"]["kind"] == "end"
    client.close()


def test_ghost_text_goes_before_a_body():
    client, command = command_client("token_ms 30\nanswer x = => 1;\n" + BODY)
    other = "file:///tmp/work/b.c"
    client.open(other, "int x =\n")
    id = client.request("workspace/executeCommand", command)
    time.sleep(0.1)
    assert client.items(client.inline(other, 0, 7))
    assert id not in client.answers
    client.answer(id)
    client.close()


# --- a model that answers questions

CALLER = "int twice(int a)\n{\n    // a and a again, at most 100\n\n    return add(a, a);\n}\n"
CHAT = "chat\nanswer ```c\\n => %s\\n```\n"


def ask_with_caps(script, text, range_, **caps):
    full = copy.deepcopy(FULL_CAPS)
    full.update(caps)
    client = Client(script, caps=full)
    client.replies["workspace/applyEdit"] = {"applied": True}
    client.open(URI, text)
    actions = client.ask("textDocument/codeAction", {
        "textDocument": {"uri": URI}, "range": range_, "context": {"diagnostics": []}})
    return client, {a["title"]: a for a in actions}


def test_each_task_of_a_model_that_is_asked():
    add, note = "int add(int a, int b)\n{\n    return a + b;\n}", "// Twice a."
    for line, title, answer, wanted in (
            (2, "Write the code that this comment asks for", "    if (a > 50) return 100;",
             CALLER.replace("100\n", "100\n    if (a > 50) return 100;\n")),
            (4, "Write the missing function add", add, add + "\n\n" + CALLER),
            (0, "Write a documentation comment", note, note + "\n" + CALLER)):
        client, actions = ask_with_caps(CHAT % answer.replace("\n", "\\n"), CALLER, at(line, 11, 11))
        assert title in actions, (title, list(actions))
        edit = client.ask("codeAction/resolve", actions[title])["edit"]
        assert apply_edits(CALLER, edit["documentChanges"][0]["edits"]) == wanted
        client.close()


def test_a_failure_is_explained():
    client = Client("chat\nanswer assistant\\n => It has no c.\n")
    client.open(URI, BUGGY)
    (action,) = [a for a in list_actions(client, line=3, diagnostics=[UNDECLARED]) if a["title"].startswith("Explain: ")]
    assert client.ask("workspace/executeCommand", action["command"]) is None
    assert client.note("window/showMessage")["message"] == "It has no c."
    assert client.text(URI) == BUGGY
    client.close()


def test_the_first_line_of_a_selection_may_be_an_instruction():
    text = CALLER.replace("// a and a again, at most 100", "// without add")
    client, actions = ask_with_caps(CHAT % "    return 2 * a;", text, {"start": {"line": 2, "character": 0}, "end": {"line": 5, "character": 0}})
    edit = client.ask("codeAction/resolve", actions["Rewrite: without add"])["edit"]
    assert apply_edits(text, edit["documentChanges"][0]["edits"]) == "int twice(int a)\n{\n    return 2 * a;\n}\n"
    client.close()


def test_an_instruction_is_asked_for_where_the_client_can():
    title, selected = "Rewrite by an instruction...", {"start": {"line": 4, "character": 0}, "end": {"line": 5, "character": 0}}
    client, actions = ask_with_caps(CHAT % "    return 2 * a;", CALLER, selected)
    assert title not in actions, "this client cannot ask"
    client.close()
    for said in ("without add", "  ", None):
        client, actions = ask_with_caps(CHAT % "    return 2 * a;", CALLER, selected, experimental={"showInputBox": True})
        client.replies["r1ls/showInputBox"] = {"value": said} if said else None
        assert client.ask("workspace/executeCommand", actions[title]["command"]) is None
        edits = [c["params"]["edit"] for c in client.calls if c["method"] == "workspace/applyEdit"]
        (question,) = [c for c in client.calls if c["method"] == "r1ls/showInputBox"]
        assert "what is to change" in question["params"]["prompt"]
        if said == "without add":
            written = apply_edits(CALLER, edits[0]["documentChanges"][0]["edits"])
            assert written == CALLER.replace("add(a, a)", "2 * a")
        else:
            assert edits == []
        client.close()


def test_an_edit_while_the_user_is_asked_makes_the_action_void():
    selected = {"start": {"line": 4, "character": 0}, "end": {"line": 5, "character": 0}}
    client, actions = ask_with_caps(CHAT % "    return 2 * a;", CALLER, selected, experimental={"showInputBox": True})
    def change(params):
        client.change(URI, 2, {"range": at(0, 0), "text": "\n"})
        return {"value": "without add"}
    client.replies["r1ls/showInputBox"] = change
    assert client.fail("workspace/executeCommand", actions["Rewrite by an instruction..."]["command"]) == -32801
    client.close()


def test_unknown_commands():
    client = Client()
    assert client.fail("workspace/executeCommand", {"command": "rm"}) == -32602
    assert client.fail("workspace/executeCommand", {"command": "r1ls.runTask", "arguments": [5]}) == -32602
    client.close()


run_tests(globals())
