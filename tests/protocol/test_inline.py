"""Inline completion: results, supersede, cancel, edits meanwhile, and the storm."""

import random
import time

from driver import Client, FOLDER, at, run_tests

URI = "file:///tmp/work/a.c"
SLOW = "token_ms 5\nanswer total => _number_of_bytes = 0;\nanswer x = => 41 + 1;\n"
FAST = "answer x = => 41 + 1;\nanswer 😀 = => 7;\nanswer printf => (\"hi\");\n"


def test_a_suggestion_with_its_range():
    client = Client(FAST)
    client.open(URI, "int main(void)\n{\n    int x =\n}\n")
    items = client.items(client.inline(URI, 2, 11))
    assert items == [{"insertText": " 41 + 1;" if items[0]["insertText"][0] == " " else "41 + 1;",
                      "range": at(2, 11)}], items
    explain = client.ask("r1ls/explain", {"textDocument": {"uri": URI}})
    assert explain["why"] == "shown" and explain["promptTokens"] > 0, explain
    client.close()


def test_utf16_range():
    client = Client(FAST, caps={})
    client.open(URI, "char *s = \"\"; int 😀 =\n")
    items = client.items(client.inline(URI, 0, 22))
    assert items[0]["range"] == at(0, 22), items
    client.close()


def test_nothing_is_no_error():
    client = Client(FAST)
    client.open(URI, "int unknown\n")
    assert client.items(client.inline(URI, 0, 11)) == []
    assert client.items(client.inline("file:///not/open.c", 0, 0)) == []
    assert client.ask("r1ls/explain", {"textDocument": {"uri": URI}})["why"] != "shown"
    assert client.items(client.inline(URI, 999, 999)) == []
    client.close()


def test_selected_completion_is_extended():
    client = Client(FAST)
    client.open(URI, "int main(void)\n{\n    pri\n}\n")
    info = {"range": at(2, 4, 7), "text": "printf"}
    items = client.items(client.inline(URI, 2, 7, selectedCompletionInfo=info))
    assert len(items) == 1 and items[0]["insertText"].startswith("printf("), items
    assert items[0]["range"]["start"] == {"line": 2, "character": 4}
    info["text"] = "private"
    assert client.items(client.inline(URI, 2, 7, selectedCompletionInfo=info)) == []
    client.close()


def test_a_newer_request_supersedes():
    client = Client(SLOW)
    client.open(URI, "int total\n")
    first = client.inline(URI, 0, 9, trigger=1)
    second = client.inline(URI, 0, 9, trigger=1)
    assert client.answer(first)["error"]["code"] == -32800
    assert client.items(second)
    client.close()


def test_other_documents_are_not_superseded():
    client = Client(SLOW)
    other = "file:///tmp/work/b.c"
    client.open(URI, "int total\n")
    client.open(other, "int total\n")
    ids = [client.inline(URI, 0, 9), client.inline(other, 0, 9)]
    assert all(client.items(id) for id in ids)
    client.close()


def test_cancel_is_answered_at_once():
    client = Client("token_ms 200\nanswer total => _number_of_bytes = 0;\n")
    client.open(URI, "int total\n")
    id = client.inline(URI, 0, 9)
    time.sleep(0.1)
    start = time.monotonic()
    client.notify("$/cancelRequest", {"id": id})
    assert client.answer(id)["error"]["code"] == -32800
    assert time.monotonic() - start < 0.15
    client.notify("$/cancelRequest", {"id": id})
    client.notify("$/cancelRequest", {"id": "never"})
    client.close()


def test_an_edit_ends_an_automatic_request():
    client = Client("token_ms 100\nanswer total => _number_of_bytes = 0;\n")
    client.open(URI, "int total\n")
    id = client.inline(URI, 0, 9)
    start = time.monotonic()
    client.change(URI, 2, {"range": at(0, 0), "text": "/"})
    assert client.items(id) == []
    assert time.monotonic() - start < 0.5
    client.close()


def test_typed_on_gives_the_rest():
    client = Client(SLOW)
    client.open(URI, "int total\n")
    id = client.inline(URI, 0, 9, trigger=1)
    time.sleep(0.03)
    client.change(URI, 2, {"range": at(0, 9), "text": "_num"})
    items = client.items(id)
    assert items and items[0]["insertText"].startswith("ber_of_bytes"), items
    assert items[0]["range"] == at(0, 13)
    client.close()


def test_typed_otherwise_gives_nothing():
    client = Client(SLOW)
    client.open(URI, "int total\n")
    id = client.inline(URI, 0, 9, trigger=1)
    time.sleep(0.03)
    client.change(URI, 2, {"range": at(0, 9), "text": "ity"})
    assert client.items(id) == []
    client.close()


def test_close_answers_what_waits():
    client = Client("token_ms 100\nanswer total => _number_of_bytes = 0;\n")
    client.open(URI, "int total\n")
    id = client.inline(URI, 0, 9)
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert client.items(id) == []
    client.close()


def test_requests_wait_for_the_engine():
    client = Client("open_ms 400\n" + FAST)
    client.open(URI, "int main(void)\n{\n    int x =\n}\n")
    id = client.inline(URI, 2, 11)
    assert client.ask("r1ls/status", {})["engine"] == "loading"
    assert client.items(id)
    client.close()


def test_a_missing_model_is_no_error_per_key():
    client = Client(FAST, options={"model": FOLDER + "/no-such-model"})
    client.open(URI, "int x =\n")
    assert client.items(client.inline(URI, 0, 7)) == []
    client.until(lambda: client.ask("r1ls/status", {})["engine"] == "failed")
    assert "no-such-model" in client.note("window/showMessage")["message"]
    client.close()


def test_the_setting_switches_it_off():
    client = Client(FAST, options={"inlineCompletion": False})
    client.open(URI, "int x =\n")
    assert client.items(client.inline(URI, 0, 7)) == []
    client.close()


def test_storm():
    """500 requests with edits and cancels: every id is answered exactly once."""
    client = Client(SLOW + "trace %s/trace\n" % FOLDER)
    rng = random.Random(5)
    text, version, ids = "int total\n", 1, []
    client.open(URI, text)
    for i in range(500):
        if rng.random() < 0.5:
            version += 1
            client.change(URI, version, {"range": at(0, 9), "text": rng.choice("abc ")})
        ids.append(client.inline(URI, 0, 9, trigger=rng.choice((1, 2))))
        if rng.random() < 0.3:
            client.notify("$/cancelRequest", {"id": rng.choice(ids[-3:])})
        if i % 50 == 0:
            time.sleep(0.05)
    answers = [client.answer(id) for id in ids]
    assert all("result" in a or a["error"]["code"] == -32800 for a in answers)
    client.ask("r1ls/status", {})
    assert all(client.counts[id] == 1 for id in ids)
    client.close()


def test_shutdown_answers_what_runs():
    client = Client("token_ms 100\nanswer total => _number_of_bytes = 0;\n")
    client.open(URI, "int total\n")
    id = client.inline(URI, 0, 9)
    client.close()
    assert client.answers[id]["error"]["code"] == -32800


run_tests(globals())
