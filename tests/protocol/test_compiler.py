"""The user's compiler as a source of diagnostics: in trusted folders only, once the typing rests, beside the parser's."""

import os
import pathlib
import tempfile
import time

from driver import FULL_CAPS, Client, run_tests

GOOD = "int f(int a)\n{\n    return a;\n}\n"
TYPO = "int f(int a)\n{\n    return b + a;\n}\n"


def start(work, text, trusted=True, name="a.c", caps=None, **options):
    os.environ["XDG_STATE_HOME"] = work + "/state"
    uri = pathlib.Path(work, name).as_uri()
    client = Client(options={"trusted": trusted, **options}, rootUri=pathlib.Path(work).as_uri(), caps=caps)
    client.open(uri, text)
    return client, uri


def published(client, uri, accept):
    """The first that is accepted: an earlier one may hold the parser's part alone."""
    return client.note("textDocument/publishDiagnostics", lambda p: p["uri"] == uri and accept(p["diagnostics"]))["diagnostics"]


def has_compiler(items):
    return any(i["source"] == "r1ls cc" for i in items)


def test_errors_of_the_compiler_are_published():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, TYPO)
        items = published(client, uri, has_compiler)
        assert len(items) == 1 and items[0]["severity"] == 1 and items[0]["code"] == "compiler", items
        assert "'b' undeclared" in items[0]["message"].replace("‘", "'").replace("’", "'"), items
        assert items[0]["range"] == {"start": {"line": 2, "character": 11}, "end": {"line": 2, "character": 12}}
        client.change(uri, 2, {"text": GOOD})
        client.note("textDocument/publishDiagnostics", lambda p: p.get("version") == 2 and not p["diagnostics"])
        client.close()
        assert not list(pathlib.Path(work).glob("[!s]*")), "something was written into the project"


def test_what_the_compiler_proposes_needs_no_model():
    text = "int f(int f\u00e4rst, int second)\n{\n    return f\u00e4rst + secnd;\n}\n"
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, text)
        items = published(client, uri, has_compiler)
        actions = client.ask("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": items[0]["range"], "context": {"diagnostics": items}})
        (action,) = [a for a in actions if "edit" in a]
        assert action["kind"] == "quickfix" and action["title"] == "Replace by 'second'", action
        (edit,) = action["edit"]["documentChanges"][0]["edits"]
        line = text.split("\n")[2].encode()
        start_, end = edit["range"]["start"], edit["range"]["end"]
        assert start_["line"] == 2 and line[start_["character"]:end["character"]] == b"secnd" and edit["newText"] == "second"
        client.change(uri, 2, {"text": text.replace("secnd", "second")})
        client.note("textDocument/publishDiagnostics", lambda p: p.get("version") == 2 and not p["diagnostics"])
        assert not [a for a in client.ask("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": items[0]["range"], "context": {"diagnostics": []}}) if "edit" in a]
        client.close()


def test_tabs_and_python_and_javascript():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, "int f(void)\n{\n\tint é = 1;\n\treturn é + b;\n}\n")
        place = published(client, uri, has_compiler)[0]["range"]
        assert place["start"] == {"line": 3, "character": 13}, place  # UTF-8, as the client prefers
        for name, language, text, words in (("b.py", "python", "x = 1\nreturn x\n", "outside function"),
                                            ("c.js", "javascript", "const x = 1;\nconst x = 2;\n", "already been declared")):
            other = pathlib.Path(work, name).as_uri()
            client.open(other, text, language)
            items = published(client, other, has_compiler)
            assert words in items[0]["message"] and items[0]["range"]["start"]["line"] == 1, items
        client.close()


def test_nothing_is_said_twice():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, "int f(void)\n{\n    return 1\n}\n\nint g(void)\n{\n    return b;\n}\n")
        items = published(client, uri, has_compiler)
        assert sorted((i["source"], i["range"]["start"]["line"]) for i in items) == [("r1ls", 2), ("r1ls cc", 7)], items
        client.close()


def test_untrusted_folders_are_not_compiled():
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, TYPO, trusted=False)
        published(client, uri, lambda items: not items)
        time.sleep(1.5)
        assert not any(has_compiler(n["params"]["diagnostics"]) for n in client.notes
                       if n["method"] == "textDocument/publishDiagnostics")
        client.ask("r1ls/trust", {"trusted": True})  # and then at once
        published(client, uri, has_compiler)
        client.close()


def test_a_project_may_switch_rules():
    with tempfile.TemporaryDirectory() as work:
        pathlib.Path(work, ".r1ls.json").write_text('{"rules": {"compiler": "warning"}, "ignore": ["old.c"]}')
        client, uri = start(work, TYPO)
        assert published(client, uri, has_compiler)[0]["severity"] == 2
        old = pathlib.Path(work, "old.c").as_uri()
        client.open(old, "int f(")
        published(client, old, lambda items: not items)
        client.close()
        pathlib.Path(work, ".r1ls.json").write_text('{"rules": {"compiler": "loud"}, "options": {"trusted": true}}')
        client, uri = start(work, TYPO, trusted=False)
        text = client.note("window/logMessage", lambda p: ".r1ls.json" in p["message"])["message"]
        assert 'rules.compiler is "loud", wanted "off", "error", "warning"' in text, text
        assert client.ask("r1ls/status", {})["trusted"] is False
        client.close()


def test_a_project_cannot_say_what_is_executed():
    with tempfile.TemporaryDirectory() as work:
        for option, value in (("trusted", "true"), ("sandbox", '"rlimits"'), ("model", '"/tmp/m.gguf"'), ("testCommand", '"touch ran"')):
            pathlib.Path(work, ".r1ls.json").write_text('{"options": {"%s": %s}}' % (option, value))
            client, uri = start(work, GOOD, trusted=False)
            text = client.note("window/logMessage", lambda p: ".r1ls.json" in p["message"])["message"]
            assert "options.%s is" % option in text and "wanted nothing" in text, text
            assert client.ask("r1ls/status", {})["trusted"] is False
            client.close()


def test_typing_and_closing_kill_the_compiler():
    with tempfile.TemporaryDirectory() as work:
        # A header without end keeps the compiler busy.
        deep = "".join("#define A%d A%d A%d A%d A%d\n" % (i, i - 1, i - 1, i - 1, i - 1) for i in range(1, 13))
        pathlib.Path(work, "deep.h").write_text("#define A0 +1\n%sint deep = 0 A12;\n" % deep)
        client, uri = start(work, '#include "deep.h"\n' + GOOD)

        def compilers():
            found = []
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_bytes()
                except OSError:
                    continue
                if b"-fsyntax-only" in words and work.encode() in words:
                    found.append(path)
            return found
        client.until(compilers, "a compiler")
        client.change(uri, 2, {"text": TYPO})
        published(client, uri, has_compiler)
        client.until(lambda: not compilers(), "the compiler's end")
        client.change(uri, 3, {"text": '#include "deep.h"\n' + GOOD})
        client.until(compilers, "a compiler")
        client.close()
        client.until(lambda: not compilers(), "the compiler's end")


def test_clients_that_pull_are_told():
    caps = {**FULL_CAPS, "workspace": {**FULL_CAPS["workspace"], "diagnostics": {"refreshSupport": True}},
            "textDocument": {**FULL_CAPS["textDocument"], "diagnostic": {}}}
    with tempfile.TemporaryDirectory() as work:
        client, uri = start(work, TYPO, caps=caps)
        client.until(lambda: any(c["method"] == "workspace/diagnostic/refresh" for c in client.calls), "a refresh")
        report = client.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})
        assert has_compiler(report["items"]), report
        client.close()


run_tests(globals())
