"""The closed loop over the protocol: cancels at random moments leave nothing, and nothing of an untrusted folder runs
whatever is clicked. R1LS_CANCELS and R1LS_SEED make it a longer one."""

import glob
import json
import os
import random
import time
import uuid

from driver import Client, FOLDER, SANDBOX, at, run_tests, write_file

CANCELS = int(os.environ.get("R1LS_CANCELS", 50))
BUGGY = "int larger(int a, int b)\n{\n    return a < b ? a : b;\n}\n"
HOLE = "// The larger one of both.\nint larger(int a, int b)\n{\n}\n"
TEST = '#include "a.c"\nint main(void)\n{\n    return larger(3, 4) != 4 || larger(5, 2) != 5;\n}\n'
# Answers that are tried and fail, so that a run is somewhere between writing, compiling and testing.
SCRIPT = "token_ms 1\n" + "".join("answer {\\n => %s\\n}\\n\nanswer { => %s\\n}\\n\n" % (text, text) for text in (
    "    return a + b;", "    return a - b;", "    return a <;", "    while (1) {\\n    }", "    return b;"))


def left_of(mark):
    """Copies of the project, and processes that know its mark."""
    left = glob.glob("/tmp/r1ls-scratch-*/mark-" + mark)
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                if mark.encode() in f.read():
                    left.append(path)
        except OSError:
            pass
    return left


def wait_until_nothing_is_left(mark):
    """The answer to a cancel does not wait for the engine and what it has started."""
    end = time.monotonic() + 20
    while left_of(mark):
        assert time.monotonic() < end, left_of(mark)
        time.sleep(0.02)


def list_actions(client, uri, line):
    return client.ask("textDocument/codeAction", {
        "textDocument": {"uri": uri}, "range": at(line, 4), "context": {"diagnostics": []}})


def start_action(client, action):
    if "command" in action:
        return client.request("workspace/executeCommand", action["command"])
    return client.request("codeAction/resolve", action)


def test_cancels_at_random_moments_leave_nothing():
    mark, moments = uuid.uuid4().hex, random.Random(int(os.environ.get("R1LS_SEED", 1)))
    for name, text in (("a.c", HOLE), ("test.c", TEST), ("mark-" + mark, "")):
        write_file("cancelled/" + name, text)
    root, before = os.path.join(FOLDER, "cancelled"), {}
    client = Client(SCRIPT, rootUri="file://" + root, options={
        "trusted": True, "sandbox": SANDBOX, "testCommand": "cc -o suite test.c && ./suite # " + mark})
    documents = {}
    for name, text in (("fix", BUGGY), ("body", HOLE)):
        documents[name] = "file://%s/%s.c" % (root, name)
        client.open(documents[name], text)
    before = sorted(os.listdir(root))
    n_late = 0
    for i in range(CANCELS):
        uri = documents["fix" if i % 2 else "body"]
        action = list_actions(client, uri, 1)[0]
        id = start_action(client, action)
        time.sleep(moments.uniform(0, 0.25))
        client.notify("$/cancelRequest", {"id": id})
        answer = client.answer(id)
        n_late += "error" not in answer
        assert "error" not in answer or answer["error"]["code"] == -32800, answer
        wait_until_nothing_is_left(mark)
    assert n_late < CANCELS / 2, "most had ended before they were cancelled"
    assert not [c for c in client.calls if c["method"] == "workspace/applyEdit"]
    assert client.text(documents["fix"]) == BUGGY and client.text(documents["body"]) == HOLE
    assert sorted(os.listdir(root)) == before
    client.close()


# --- an untrusted folder

def hostile_project(name, ran):
    """Whatever a tool of any language would run or read in order to run, runs `touch ran`."""
    touch = "touch " + ran
    python = "import os; os.system(%r)\n" % touch
    files = {
        "a.c": BUGGY + "\n" + HOLE.replace("larger", "least"),
        "test.c": TEST,
        "Makefile": "$(shell %s)\nall test check:\n\t%s\n" % (touch, touch),
        "CMakeLists.txt": 'execute_process(COMMAND %s)\n' % touch,
        "meson.build": "run_command('touch', '%s')\n" % ran,
        "package.json": '{"scripts": {"test": "%s", "build": "%s"}}' % (touch, touch),
        "compile_commands.json": '[{"directory": ".", "file": "a.c", "arguments": ["%s/cc", "-c", "a.c"]}]' % name,
        "cc": "#!/bin/sh\n%s\n" % touch,
        ".r1ls.json": '{"options": {"testCommand": "%s", "trusted": true}}' % touch,
        ".git/config": "[core]\n\tfsmonitor = %s\n" % touch,
        ".git/HEAD": "ref: refs/heads/main\n",
        "conftest.py": python, "setup.py": python, "sitecustomize.py": python, "test_a.py": python,
        "a.py": "def larger(a, b):\n    return a if a < b else b\n\n\ndef least(a, b):\n    \"\"\"The smaller one.\"\"\"\n",
    }
    for file, text in files.items():
        os.chmod(write_file(name + "/" + file, text), 0o755)
    return {file: files[file] for file in ("a.c", "a.py", "Makefile")}


def open_all(trusted):
    """A client of such a folder, its documents' addresses, and the file that tells that something ran."""
    name = "hostile-%s" % trusted
    ran, root = os.path.join(FOLDER, "ran-%s" % trusted), os.path.join(FOLDER, name)
    # Without isolation, so that what runs can be seen.
    client = Client(SCRIPT, rootUri="file://" + root, options={
        "trusted": trusted, "sandbox": "rlimits", "codeLens": True, "rounds": 1, "candidates": 2,
        "generateBudgetMs": 3000})
    client.replies["workspace/applyEdit"] = {"applied": True}
    documents = {}
    for file, text in hostile_project(name, ran).items():
        uri = "file://%s/%s" % (root, file)
        documents[uri] = text
        client.open(uri, text, language={"c": "c", "y": "python"}.get(file[-1], "makefile"))
    return client, documents, ran


def list_everything(client, documents):
    """Every action of every line, and every lens as one."""
    found = []
    for uri, text in documents.items():
        for line in range(text.count("\n")):
            found += list_actions(client, uri, line)
        lenses = client.ask("textDocument/codeLens", {"textDocument": {"uri": uri}}) or []
        found += [{"command": lens["command"]} for lens in lenses]
    different = {json.dumps(action, sort_keys=True): action for action in found}
    return list(different.values())


def test_nothing_of_an_untrusted_folder_runs():
    trusted, documents, ran_trusted = open_all(True)
    actions = list_everything(trusted, documents)
    client, documents, ran = open_all(False)
    # What an untrusted folder does not offer may be sent all the same.
    forged = [json.loads(json.dumps(a).replace("hostile-True", "hostile-False")) for a in actions]
    clicks = list_everything(client, documents) + forged
    assert len(clicks) > 15, clicks
    for action in clicks:
        client.answer(start_action(client, action))
    for uri in documents:
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        client.answer(client.inline(uri, 1, 0))
    assert client.ask("r1ls/trust", {})["trusted"] is False
    client.close()
    assert not os.path.exists(ran), "something of an untrusted folder was executed"
    # The trusted one does run it, so that this could fail.
    for action in actions:
        trusted.answer(start_action(trusted, action))
        if os.path.exists(ran_trusted):
            break
    assert os.path.exists(ran_trusted)
    trusted.close()


run_tests(globals())
