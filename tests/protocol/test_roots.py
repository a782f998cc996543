"""Several folders: each one's .r1ls.json holds for its own documents, and a change of one for them alone."""

import os
import pathlib
import tempfile
import time

from driver import FULL_CAPS, Client, run_tests

CODE = "#include <string.h>\nint f(char *a, char *b)\n{\n    if (a = b)\n        return 1;\n    return 0;\n}\n"
RULE = "assignment-in-condition"
CAPS = dict(FULL_CAPS, textDocument=dict(FULL_CAPS["textDocument"], hover={}))


def folders_of(*paths):
    return [{"uri": pathlib.Path(p).as_uri(), "name": pathlib.Path(p).name} for p in paths]


def start(*paths, **options):
    return Client(caps=CAPS, options={"compilerDiagnostics": False, **options}, rootUri=pathlib.Path(paths[0]).as_uri(),
                  workspaceFolders=folders_of(*paths))


def severities(client, uri, wanted):
    """Waits for a report of the document with these severities of the rule."""
    def fits(p):
        return p["uri"] == uri and [d["severity"] for d in p["diagnostics"] if d["code"] == RULE] == wanted
    client.note("textDocument/publishDiagnostics", fits)


def n_reports(client, uri):
    return sum(n["method"] == "textDocument/publishDiagnostics" and n["params"]["uri"] == uri for n in client.notes)


def write(folder, text):
    pathlib.Path(folder, ".r1ls.json").write_text(text)


def open_in(client, folder):
    uri = pathlib.Path(folder, "a.c").as_uri()
    client.open(uri, CODE)
    return uri


def make(work, *names):
    paths = [os.path.join(work, name) for name in names]
    for path in paths:
        os.makedirs(path)
    return paths


def test_each_file_holds_for_its_folder():
    with tempfile.TemporaryDirectory() as work:
        a, b, inner = make(work, "a", "b", "a/inner")
        write(a, '{"rules": {"%s": "error"}, "options": {"hover": true}}' % RULE)
        write(b, '{"rules": {"%s": "hint"}, "options": {"hover": false}}' % RULE)
        write(inner, '{"ignore": ["*.c"]}')
        client = start(a, b, inner)
        uris = [open_in(client, folder) for folder in (a, b, inner)]
        for uri, wanted in zip(uris, ([1], [4], [])):
            severities(client, uri, wanted)
        at = {"position": {"line": 1, "character": 4}}
        assert client.ask("textDocument/hover", dict(at, textDocument={"uri": uris[0]}))["contents"]["value"]
        assert client.ask("textDocument/hover", dict(at, textDocument={"uri": uris[1]})) is None
        client.close()


def test_a_change_is_taken_over_for_its_folder():
    with tempfile.TemporaryDirectory() as work:
        a, b = make(work, "a", "b")
        write(a, '{"rules": {"%s": "error"}}' % RULE)
        write(b, '{"rules": {"%s": "hint"}}' % RULE)
        client = start(a, b)
        first, second = open_in(client, a), open_in(client, b)
        severities(client, first, [1])
        severities(client, second, [4])
        before = n_reports(client, first)
        write(b, '{"rules": {"%s": "off"}}' % RULE)
        client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": pathlib.Path(b, ".r1ls.json").as_uri(), "type": 2}]})
        severities(client, second, [])
        write(b, '{"rules": {"%s": "loud"}}' % RULE)  # says nothing, and that is told
        client.notify("textDocument/didSave", {"textDocument": {"uri": second}})
        client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": pathlib.Path(b, ".r1ls.json").as_uri(), "type": 2}]})
        client.note("window/logMessage", lambda p: "b/.r1ls.json: rules.%s is" % RULE in p["message"])
        severities(client, second, [2])
        assert n_reports(client, first) == before, "the other folder's documents were judged anew"
        client.close()


def test_the_server_notices_by_itself():
    with tempfile.TemporaryDirectory() as work:
        a, b = make(work, "a", "b")
        client = start(a, b)
        first, second = open_in(client, a), open_in(client, b)
        severities(client, first, [2])
        severities(client, second, [2])
        client.until(lambda: not client.ask("r1ls/status", {})["scanning"])
        last = 0

        def noticed():  # the watch begins a moment after the scan
            nonlocal last
            if time.monotonic() > last + 1:
                last = time.monotonic()
                write(a, '{"rules": {"%s": "error"}}' % RULE)
            return any(n["method"] == "textDocument/publishDiagnostics" and n["params"]["uri"] == first and
                       [d["severity"] for d in n["params"]["diagnostics"] if d["code"] == RULE] == [1] for n in client.notes)
        client.until(noticed)
        os.remove(os.path.join(a, ".r1ls.json"))
        severities(client, first, [2])
        client.close()


def test_folders_come_and_go():
    with tempfile.TemporaryDirectory() as work:
        a, b = make(work, "a", "b")
        write(b, '{"rules": {"%s": "error"}}' % RULE)
        client = start(a)
        uri = open_in(client, b)
        severities(client, uri, [2])
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": folders_of(b), "removed": []}})
        severities(client, uri, [1])
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": folders_of(b)}})
        severities(client, uri, [2])
        client.close()


run_tests(globals())
