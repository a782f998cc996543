"""Code lenses, and the commands that go from a failure to its repair."""

import copy
import os

from driver import Client, FOLDER, FULL_CAPS, SANDBOX, run_tests, write_file

CAPS = copy.deepcopy(FULL_CAPS)
CAPS["window"]["showDocument"] = {"support": True}
CAPS["workspace"]["codeLens"] = {"refreshSupport": True}
ADD = "int add(int a, int b)\n{\n    return a - b;\n}\n"
TEST = "#include <assert.h>\nint add(int a, int b);\nstatic void test_add(void)\n{\n    assert(add(1, 2) == 3);\n}\nint main(void)\n{\n    test_add();\n}\n"
FAILURE = "t: tests/test_add.c:5: test_add: Assertion `add(1, 2) == 3' failed.\n"
# The command passes once add is right, which a small change makes it.
COMMAND = "grep -q 'return a + b;' add.c || { cat said >&2; false; }"


def make_project(name, said=FAILURE):
    write_file(name + "/said", said)
    write_file(name + "/tests/test_add.c", TEST)
    return "file://" + FOLDER + "/" + name, "file://" + write_file(name + "/add.c", ADD)


def new_client(root, caps=CAPS, **more):
    options = dict({"codeLens": True, "trusted": True, "testCommand": COMMAND, "sandbox": SANDBOX}, **more)
    client = Client(caps=caps, options=options, rootUri=root)
    client.replies["workspace/applyEdit"] = {"applied": True}
    client.replies["window/showDocument"] = {"success": True}
    return client


def lenses(client, uri, text, language="c"):
    client.open(uri, text, language)
    found = client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})
    return [(lens["range"]["start"]["line"], lens["command"]["title"], lens["command"]) for lens in found]


def titles(found):
    return [(line, title) for line, title, _ in found]


def test_lenses_of_tests_and_functions():
    root, uri = make_project("lens")
    client = new_client(root)
    assert client.initialized["capabilities"]["codeLensProvider"] == {}
    assert titles(lenses(client, uri, ADD)) == [(0, "Test this function")]
    test = root + "/tests/test_add.c"
    assert titles(lenses(client, test, TEST)) == [(2, "Run tests"), (2, "Debug")]
    assert client.ask("textDocument/codeLens", {"textDocument": {"uri": "untitled:x"}}) is None
    client.close()


def test_every_framework():
    root, _ = make_project("frameworks")
    client = new_client(root)
    for name, language, text, wanted in (
            ("tests/test_m.c", "c", "static void test_m(void **state)\n{\n    (void)state;\n}\nstatic int setup(void **state)\n{\n    return 0;\n}\n", [0]),
            ("tests/test_p.py", "python", "import unittest\n\ndef test_a():\n    assert 1\n\nclass T(unittest.TestCase):\n    def setUp(self):\n        pass\n    def test_b(self):\n        pass\n", [2, 8]),
            ("a.test.js", "javascript", "import { test, describe, it } from 'node:test'\ntest('one', () => {})\ndescribe('many', () => {\n  it.skip(`two`, async () => {})\n})\ntester('no')\n", [1, 3]),
            ("a_test.go", "go", "package a\n\nfunc TestA(t *testing.T) {\n\tt.Log(1)\n}\n\nfunc helper() {\n\tprintln(1)\n}\n", [2]),
            ("src/lib.rs", "rust", "fn half(a: i32) -> i32 {\n    a / 2\n}\n#[cfg(test)]\nmod tests {\n    #[test]\n    #[should_panic]\n    fn halves() {\n        assert!(super::half(2) == 1);\n    }\n    #[tokio::test]\n    async fn waits() {\n        assert!(true);\n    }\n}\n", [7, 11])):
        found = titles(lenses(client, root + "/" + name, text, language))
        assert [line for line, title in found if title == "Run tests"] == wanted, (name, found)
        assert [line for line, title in found if title == "Debug"] == wanted, (name, found)
        others = [line for line, title in found if title == "Test this function"]
        assert others == ([0] if name == "src/lib.rs" else []), (name, found)
    client.close()


def test_nothing_where_nothing_could_be_run():
    root, uri = make_project("none")
    client = new_client(root, trusted=False)
    assert lenses(client, uri, ADD) == []
    client.ask("r1ls/trust", {"trusted": True})
    client.until(lambda: any(c["method"] == "workspace/codeLens/refresh" for c in client.calls))
    assert len(client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}})) == 1
    client.ask("r1ls/trust", {"trusted": False})
    client.close()
    client = new_client(root, codeLens=False)
    assert "codeLensProvider" not in client.initialized["capabilities"]
    client.open(uri, ADD)
    assert client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}}) is None
    client.close()


def test_run_and_debug():
    root, uri = make_project("debug")
    client = new_client(root)
    client.open(uri, ADD)
    found = lenses(client, root + "/tests/test_add.c", TEST)
    client.ask("workspace/executeCommand", found[0][2])
    note = client.note("window/showMessage")
    assert note["type"] == 2 and "the tests fail: t: tests/test_add.c:5" in note["message"], note
    shown = client.note("textDocument/publishDiagnostics", lambda p: p["uri"] == uri and p["diagnostics"])
    assert shown["diagnostics"][0]["code"] == "test"
    client.ask("workspace/executeCommand", found[1][2])
    calls = [(c["method"], c["params"]) for c in client.calls]
    (show,) = [p for m, p in calls if m == "window/showDocument"]
    assert show["uri"] == uri and show["selection"]["start"]["line"] == 0, show
    (apply,) = [p for m, p in calls if m == "workspace/applyEdit"]
    (change,) = apply["edit"]["documentChanges"]
    assert change["textDocument"]["uri"] == uri, apply
    tokens = [p["token"] for m, p in calls if m == "window/workDoneProgress/create"]
    assert len(set(tokens)) == len(tokens) == 3, tokens
    client.close()


def test_a_client_that_pulls_is_told():
    root, uri = make_project("pulling")
    caps = copy.deepcopy(CAPS)
    caps["textDocument"]["diagnostic"] = {}
    client = new_client(root, caps)
    client.open(uri, ADD)
    found = lenses(client, root + "/tests/test_add.c", TEST)
    client.ask("workspace/executeCommand", found[0][2])
    client.note("textDocument/publishDiagnostics", lambda p: p["uri"] == uri and p["diagnostics"][0]["code"] == "test")
    assert client.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})["items"] == []
    write_file("pulling/add.c", ADD.replace("a - b", "a + b"))
    client.change(uri, 2, {"text": ADD.replace("a - b", "a + b")})
    client.ask("workspace/executeCommand", found[0][2])
    client.until(lambda: [n["params"]["diagnostics"] for n in client.notes if n["method"] == "textDocument/publishDiagnostics"][-1] == [])
    client.close()


def test_debug_says_when_nothing_fails():
    root, uri = make_project("passing")
    client = new_client(root, testCommand="true")
    found = lenses(client, root + "/tests/test_add.c", TEST)
    client.ask("workspace/executeCommand", found[0][2])
    assert client.note("window/showMessage") == {"type": 3, "message": "the tests pass"}
    client.ask("workspace/executeCommand", found[1][2])
    client.note("window/showMessage", lambda p: "nothing to debug" in p["message"])
    client.close()


def test_output():
    root, uri = make_project("output")
    client = new_client(root)
    def opened(params):
        client.open(uri, ADD)
        return {"success": True}
    client.replies["window/showDocument"] = opened
    run = lambda *arguments: client.request("workspace/executeCommand", {"command": "r1ls.debugOutput", "arguments": list(arguments)})
    assert client.answer(run({"output": FAILURE}))["result"] is None
    assert [c for c in client.calls if c["method"] == "workspace/applyEdit"]
    assert client.answer(run("all is well\n"))["result"] is None
    client.note("window/showMessage", lambda p: "0 failures" in p["message"])
    for wrong in ((), (5,), ("",), ({"output": 1},)):
        assert client.answer(run(*wrong))["error"]["code"] == -32602, wrong
    client.close()


def test_an_output_of_the_second_folder():
    root, _ = make_project("second")
    first = "file://" + os.path.dirname(write_file("first/a.c", "int a;\n"))
    client = Client(caps=CAPS, rootUri=first, workspaceFolders=[{"uri": uri, "name": uri[-5:]} for uri in (first, root)])
    client.replies["window/showDocument"] = {"success": False}
    client.ask("workspace/executeCommand", {"command": "r1ls.debugOutput", "arguments": [FAILURE]})
    client.note("window/showMessage", lambda p: "line 1 of add.c" in p["message"])
    client.close()


def test_a_file_that_the_client_does_not_open():
    root, uri = make_project("closed")
    client = new_client(root)
    client.replies["window/showDocument"] = {"success": False}
    client.ask("workspace/executeCommand", {"command": "r1ls.debugOutput", "arguments": [FAILURE]})
    client.note("window/showMessage", lambda p: "line 1 of add.c" in p["message"])
    client.close()


run_tests(globals())
