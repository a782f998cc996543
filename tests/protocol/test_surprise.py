"""Names that the model finds unlikely: hints with a fix, of the function that was changed, when the typing rests."""

from driver import Client, run_tests

URI = "file:///tmp/work/a.c"
TEXT = """int g(int size, int room)
{
    return size;
}

int f(int size, int room)
{
    return size;
}
"""
SCRIPT = "unlikely size => room\n"


def published(client):
    return [n["params"]["diagnostics"] for n in client.notes if n["method"] == "textDocument/publishDiagnostics"]


def place(line, start, end):
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


def change(client, version, line, text):
    client.notify("textDocument/didChange", {
        "textDocument": {"uri": URI, "version": version},
        "contentChanges": [{"range": place(line, 4, 4), "text": text}]})


def open_text(script=SCRIPT, **settings):
    client = Client(script, options={"surprise": 5, **settings})
    client.open(URI, TEXT, language="c")
    client.until(lambda: published(client))
    return client


def hints(client):
    return [d for d in published(client)[-1] if d["code"] == "surprise"]


def test_the_changed_function_gets_hints():
    client = open_text()
    assert not hints(client)  # nothing has changed yet
    change(client, 2, 7, "0; ")
    client.until(lambda: hints(client))
    (hint,) = hints(client)
    assert hint["severity"] == 4 and hint["source"] == "r1ls", hint
    assert hint["message"] == "size is unlikely here; room would be expected"
    assert hint["range"] == place(7, 14, 18), hint
    actions = client.ask("textDocument/codeAction", {
        "textDocument": {"uri": URI}, "range": place(7, 15, 15), "context": {"diagnostics": []}})
    (fix,) = [a for a in actions if "edit" in a]
    assert fix["title"] == "Write room" and fix["kind"] == "quickfix" and not fix["isPreferred"]
    (edit,) = fix["edit"]["documentChanges"][0]["edits"]
    assert edit["newText"] == "room" and edit["range"] == place(7, 14, 18)
    client.close()


def test_a_change_takes_hints_back_and_brings_new_ones():
    client = open_text()
    change(client, 2, 7, "0; ")
    client.until(lambda: hints(client))
    n = len(published(client))
    change(client, 3, 2, "1; ")
    client.until(lambda: len(published(client)) > n)
    assert not [d for d in published(client)[n] if d["code"] == "surprise"]
    client.until(lambda: hints(client))
    assert hints(client)[0]["range"]["start"]["line"] == 2
    client.close()


def test_settings_switch_it_off():
    client = open_text()
    change(client, 2, 7, "0; ")
    client.until(lambda: hints(client))
    n = len(published(client))
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"surprise": 0}}})
    client.until(lambda: len(published(client)) > n and not hints(client))
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"surprise": 5}}})
    client.until(lambda: hints(client))
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"rulesOff": "surprise"}}})
    client.until(lambda: not hints(client))
    client.close()


def test_a_margin_that_is_not_reached_says_nothing():
    client = open_text(surprise=50)
    change(client, 2, 7, "0; ")
    client.until(lambda: len(published(client)) > 1)
    client.ask("textDocument/codeAction", {
        "textDocument": {"uri": URI}, "range": place(7, 15, 15), "context": {"diagnostics": []}})
    assert not hints(client)
    client.close()


def test_a_pulling_client_is_told_to_ask():
    caps = {"textDocument": {"diagnostic": {}}, "workspace": {"diagnostics": {"refreshSupport": True}}}
    client = Client(SCRIPT, caps=caps, options={"surprise": 5})
    client.open(URI, TEXT, language="c")
    change(client, 2, 7, "0; ")
    client.until(lambda: [c for c in client.calls if c["method"] == "workspace/diagnostic/refresh"])
    report = client.ask("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    assert [d["code"] for d in report["items"] if d["code"] == "surprise"] == ["surprise"], report
    client.close()


run_tests(globals())
