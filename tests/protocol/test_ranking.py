"""Completions in the model's order: from ghost text or from a short job, in time or not, switched off."""

import time

from driver import Client, FOLDER, run_tests

URI = "file://" + FOLDER + "/a.c"
TEXT = "int rcount;\nint rbound;\nint rarea;\nint main(void)\n{\n    return r\n}\n"
EXPECTS = "answer return  => rbound;\n"


def client_of(script, **options):
    client = Client(script, options=dict(options, contextParts="none"))
    client.open(URI, TEXT)
    def is_ready():
        status = client.ask("r1ls/status", {})
        return status["engine"] == "ready" and not status["scanning"]
    client.until(is_ready)
    client.ask("textDocument/foldingRange", {"textDocument": {"uri": URI}})
    return client


def complete(client, line=5, character=12):
    """(the labels as they are shown, whole answer, seconds)"""
    start = time.monotonic()
    answer = client.ask("textDocument/completion", {
        "textDocument": {"uri": URI}, "position": {"line": line, "character": character}})
    spent = time.monotonic() - start
    items = sorted(answer["items"], key=lambda item: item["sortText"])
    return [item["label"] for item in items if item["label"].startswith("r")], answer, spent


def order(client):
    return client.ask("r1ls/explain", {"textDocument": {"uri": URI}})["completion"]["order"]


def plain():
    client = client_of(EXPECTS, rankCompletion=False)
    # A file that is read again meanwhile (the watcher's first look) makes a list that may grow.
    labels = client.until(lambda: [c[0] for c in [complete(client)] if not c[1]["isIncomplete"]])[0]
    assert order(client) == "without the model", labels
    client.close()
    return labels


def test_the_model_orders_by_itself():
    expected = plain()
    assert expected.index("rbound") > 0, expected
    client = client_of(EXPECTS)
    labels = client.until(lambda: [c[0] for c in [complete(client)]
                                   if order(client) == "the model's" and not c[1]["isIncomplete"]])[0]
    assert labels == ["rbound"] + [name for name in expected if name != "rbound"], labels
    client.close()


def test_ghost_text_is_used():
    client = client_of(EXPECTS + "trace " + FOLDER + "/trace\n")
    client.ask("textDocument/inlineCompletion", {
        "textDocument": {"uri": URI}, "position": {"line": 5, "character": 12}, "context": {"triggerKind": 1}})
    labels, _, _ = complete(client)
    assert labels[0] == "rbound" and order(client) == "the model's", labels
    # No other job has run for it: one for the ghost text, and perhaps one ahead of the next.
    assert open(FOLDER + "/trace").read().count("of 6") == 1
    client.close()


def test_a_late_model_is_not_waited_for():
    expected = plain()
    client = client_of("token_ms 600\n" + EXPECTS)
    labels, answer, spent = complete(client)
    assert labels == expected and answer["isIncomplete"] is True, answer
    assert spent < 1 and order(client).startswith("without the model: "), spent
    # What it has found since is there when the client asks again.
    labels = client.until(lambda: [c for c in [complete(client)] if order(client) == "the model's"])[0][0]
    assert labels[0] == "rbound", labels
    client.close()


def test_an_edit_ends_the_wait():
    client = client_of("token_ms 400\n" + EXPECTS)
    asked = client.request("textDocument/completion", {
        "textDocument": {"uri": URI}, "position": {"line": 5, "character": 12}})
    client.change(URI, 2, {"text": TEXT.replace("return r", "return rb")})
    newer = client.request("textDocument/completion", {
        "textDocument": {"uri": URI}, "position": {"line": 5, "character": 13}})
    for number in (asked, newer):
        client.until(lambda: number in client.answers)
    labels = [item["label"] for item in client.answers[newer]["result"]["items"]]
    assert "rbound" in labels and "rarea" not in labels, labels
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    client.close()
    assert client.counts[asked] == client.counts[newer] == 1


if __name__ == "__main__":
    run_tests(globals())
