"""Inline completion: results, supersede, cancel, edits meanwhile, and the storm."""

import random
import time

from driver import Client, FOLDER, at, run_tests, write_file

URI = "file:///tmp/work/a.c"
SLOW = "token_ms 5\nanswer total => _number_of_bytes = 0;\nanswer x = => 41 + 1;\n"
QUIET = {"computeAhead": "off"}
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


def n_runs(trace):
    try:
        return len(open(trace, encoding="utf-8").read().splitlines())
    except FileNotFoundError:
        return 0


def test_typed_through_costs_no_engine_work():
    trace = FOLDER + "/typed-through"
    client = Client(FAST + "answer total => _bytes(void);\ntrace %s\n" % trace, options=QUIET)
    client.open(URI, "int total\nint y;\n")
    suggestion = client.items(client.inline(URI, 0, 9))[0]["insertText"]
    assert suggestion == "_bytes(void);" and n_runs(trace) == 1
    version, column = 1, 9
    for key in suggestion[:-1]:  # a key and a request each
        version += 1
        client.change(URI, version, {"range": at(0, column), "text": key})
        column += 1
        items = client.items(client.inline(URI, 0, column, trigger=2))
        assert items == [{"insertText": suggestion[column - 9:], "range": at(0, column)}], items
    explain = client.ask("r1ls/explain", {"textDocument": {"uri": URI}})
    assert explain["from"] == "typed through" and explain["why"] == "shown", explain
    for _ in range(len(suggestion) - 1):  # and back again
        version += 1
        column -= 1
        client.change(URI, version, {"range": at(0, column, column + 1), "text": ""})
        items = client.items(client.inline(URI, 0, column, trigger=2))
        assert items == [{"insertText": suggestion[column - 9:], "range": at(0, column)}], items
    assert n_runs(trace) == 1, "the engine worked again"
    # Something else, and back to it: known still. Before it: not known.
    client.change(URI, version + 1, {"range": at(0, 9), "text": "s"})
    client.items(client.inline(URI, 0, 10))
    assert n_runs(trace) == 2
    client.change(URI, version + 2, {"range": at(0, 9, 10), "text": ""})
    assert client.items(client.inline(URI, 0, 9))[0]["insertText"] == suggestion
    assert n_runs(trace) == 2
    client.change(URI, version + 3, {"range": at(1, 0), "text": "/"})
    client.items(client.inline(URI, 0, 9))
    assert n_runs(trace) == 3, "another text below"
    client.close()


def test_typed_through_with_the_editors_closers():
    trace = FOLDER + "/closers"
    client = Client(FAST + "answer total => (int x);\ntrace %s\n" % trace, options=QUIET)
    client.open(URI, "int total\nint y;\n")
    assert client.items(client.inline(URI, 0, 9))[0]["insertText"] == "(int x);"
    client.change(URI, 2, {"range": at(0, 9), "text": "()"})
    items = client.items(client.inline(URI, 0, 10))
    assert items == [{"insertText": "int x);", "range": at(0, 10, 11)}], items
    assert n_runs(trace) == 1
    client.close()


def test_the_popups_choice_is_typed_through():
    trace = FOLDER + "/chosen"
    client = Client(FAST + "trace %s\n" % trace, options=QUIET)
    client.open(URI, "int main(void)\n{\n    pri\n}\n")
    info = {"range": at(2, 4, 7), "text": "printf"}
    first = client.items(client.inline(URI, 2, 7, selectedCompletionInfo=info))
    client.change(URI, 2, {"range": at(2, 7), "text": "n"})
    info["range"] = at(2, 4, 8)
    second = client.items(client.inline(URI, 2, 8, selectedCompletionInfo=info))
    assert second[0]["insertText"] == first[0]["insertText"] and second[0]["range"] == at(2, 4, 8), second
    client.change(URI, 3, {"range": at(2, 8), "text": "tf"})
    assert client.items(client.inline(URI, 2, 10))[0]["insertText"].startswith("("), "after it"
    assert n_runs(trace) == 1
    client.close()


AHEAD = "answer total_bytes => (void);\nanswer total => _bytes\ntrace %s\n"


def accept(client, items, version):
    client.change(URI, version, {"range": items[0]["range"], "text": items[0]["insertText"]})
    end = items[0]["range"]["start"]["character"] + len(items[0]["insertText"])
    return client.inline(URI, 0, end, trigger=2), end


def test_the_next_suggestion_is_there_after_tab():
    trace = FOLDER + "/ahead"
    client = Client(AHEAD % trace, options={"computeAhead": "on"})
    client.open(URI, "int total\n")
    first = client.items(client.inline(URI, 0, 9))
    client.until(lambda: n_runs(trace) == 2, "second run")
    client.until(lambda: not client.ask("r1ls/status", {})["busy"], "rest")
    id, end = accept(client, first, 2)
    assert client.items(id) == [{"insertText": "(void);", "range": at(0, end)}], client.answer(id)
    explain = client.ask("r1ls/explain", {"textDocument": {"uri": URI}})
    assert explain["from"] == "computed ahead", explain
    # And what follows that: nothing, which is known too.
    client.until(lambda: n_runs(trace) == 3, "third run")
    client.until(lambda: not client.ask("r1ls/status", {})["busy"], "rest")
    id, _ = accept(client, client.answer(id)["result"]["items"], 3)
    assert client.items(id) == [] and n_runs(trace) == 3
    client.close()


def test_what_runs_ahead_is_taken_over():
    trace = FOLDER + "/taken"
    client = Client("token_ms 40\n" + AHEAD % trace, options={"computeAhead": "on"})
    client.open(URI, "int total\n")
    first = client.items(client.inline(URI, 0, 9))
    time.sleep(0.08)  # it runs
    id, end = accept(client, first, 2)
    assert client.items(id)[0]["insertText"] == "(void);"
    assert open(trace, encoding="utf-8").read().count("done") == 2 and n_runs(trace) == 2
    client.close()


def test_other_edits_end_what_runs_ahead():
    trace = FOLDER + "/dropped"
    client = Client("token_ms 40\n" + AHEAD % trace, options={"computeAhead": "on"})
    client.open(URI, "int total\n")
    client.items(client.inline(URI, 0, 9))
    time.sleep(0.06)
    client.change(URI, 2, {"range": at(0, 0), "text": "/"})
    client.until(lambda: not client.ask("r1ls/status", {})["busy"], "rest")
    assert "cancelled" in open(trace, encoding="utf-8").read().splitlines()[1]
    client.close()


def test_what_runs_ahead_gives_way():
    trace = FOLDER + "/gives-way"
    client = Client("token_ms 30\n" + AHEAD % trace, options={"computeAhead": "on"})
    other = "file:///tmp/work/other.c"
    client.open(URI, "int total\n")
    client.open(other, "long total\n")
    client.items(client.inline(URI, 0, 9))
    time.sleep(0.06)
    assert client.items(client.inline(other, 0, 10))[0]["insertText"] == "_bytes"
    lines = open(trace, encoding="utf-8").read().splitlines()
    assert lines[1].startswith("cancelled") and lines[2].startswith("done"), lines
    client.close()


def test_nothing_runs_ahead_where_it_is_off():
    trace = FOLDER + "/off"
    client = Client(AHEAD % trace, options=QUIET)
    client.open(URI, "int total\n")
    client.items(client.inline(URI, 0, 9))
    time.sleep(0.1)
    assert n_runs(trace) == 1
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


def test_another_model_by_a_setting():
    """The engine is opened anew, and what the first one said is forgotten; other settings leave it alone."""
    client = Client("answer x = => first;\n", options={"computeAhead": "off"})
    other = write_file("other-model", "answer x = => second;\n")
    client.until(lambda: client.ask("r1ls/status", {})["engine"] == "ready")
    client.open("file:///m.c", "int x =\n")
    assert client.items(client.inline("file:///m.c", 0, 7, trigger=1))[0]["insertText"].strip() == "first;"
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"computeAhead": "off", "maxTokens": 20}}})
    assert client.items(client.inline("file:///m.c", 0, 7, trigger=1))[0]["insertText"].strip() == "first;"
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"computeAhead": "off", "model": other}}})
    client.until(lambda: client.ask("r1ls/status", {})["engine"] == "ready")
    assert client.items(client.inline("file:///m.c", 0, 7, trigger=1))[0]["insertText"].strip() == "second;"
    # While a request waits for the old one.
    client.change("file:///m.c", 2, {"text": "int x =\nint y;\n"})
    asked = client.inline("file:///m.c", 0, 7, trigger=1)
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"model": other, "context": 4096}}})
    client.answer(asked)
    client.until(lambda: client.ask("r1ls/status", {})["engine"] == "ready")
    assert client.items(client.inline("file:///m.c", 0, 7, trigger=1))[0]["insertText"].strip() == "second;"
    client.close()


run_tests(globals())
