"""What the rules find: shown beside the syntax errors, fixed without the model, switched off by settings."""

from driver import Client, at, run_tests

URI = "file:///tmp/work/a.py"
TEXT = "import os\nx = 1\nif x == None:\n    pass\n"


def published(client):
    return [n["params"]["diagnostics"] for n in client.notes if n["method"] == "textDocument/publishDiagnostics"]


def open_text(text=TEXT):
    client = Client()
    client.open(URI, text, language="python")
    client.until(lambda: published(client))
    return client


def actions_at(client, line, **context):
    return client.ask("textDocument/codeAction", {
        "textDocument": {"uri": URI}, "range": at(line, 5), "context": {"diagnostics": [], **context}})


def test_findings_are_diagnostics():
    client = open_text()
    unused, compared = published(client)[-1]
    assert (unused["code"], unused["severity"], unused["tags"]) == ("unused-import", 2, [1]), unused
    assert (compared["code"], compared["source"]) == ("none-comparison", "r1ls") and "tags" not in compared
    assert compared["range"]["start"] == {"line": 2, "character": 3}
    client.close()


def test_a_fix_needs_no_model():
    client = open_text()
    fixes = [a for a in actions_at(client, 2) if "edit" in a]
    (fix,) = fixes
    assert fix["kind"] == "quickfix" and fix["isPreferred"] and fix["diagnostics"][0]["code"] == "none-comparison"
    (change,) = fix["edit"]["documentChanges"]
    (edit,) = change["edits"]
    assert edit["newText"] == "is" and edit["range"]["start"] == {"line": 2, "character": 5}
    assert not [a for a in actions_at(client, 2, only=["refactor"]) if "edit" in a]
    assert not [a for a in actions_at(client, 1) if "edit" in a]
    client.close()


def test_rules_are_switched_off():
    client = open_text()
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"rulesOff": "none-comparison"}}})
    client.until(lambda: len(published(client)) > 1)
    assert [d["code"] for d in published(client)[-1]] == ["unused-import"]
    assert not [a for a in actions_at(client, 2) if "edit" in a]
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"rulesOff": "all"}}})
    client.until(lambda: published(client)[-1] == [])
    client.close()


run_tests(globals())
