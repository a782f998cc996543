"""The process's memory: a model that nobody asks leaves it, and a limit is kept by what can be remade."""

import random
import time

from driver import Client, FOLDER, is_sanitized, run_tests, start_program, write_file

URI, OTHER = "file://" + FOLDER + "/a.c", "file://" + FOLDER + "/b.c"
TEXT = "int main(void)\n{\n    int x =\n}\n"
MEGABYTE = 1 << 20
SCRIPT = "open_ms 300\nmodel_mb 100\ncache_mb 20\nanswer int x = => 42;\n"
SHORT = 0.005  # minutes
FIGURES_COUNT = not is_sanitized()


def status(client):
    return client.ask("r1ls/status", {})


def own(client):
    return status(client)["memory"]["anonymousBytes"]


def is_loaded(client):
    return status(client).get("model", {}).get("loaded", False)


def complete(client, uri=URI):
    items = client.items(client.inline(uri, 2, 11))
    return items[0]["insertText"].strip() if items else None


def client_of(script, **options):
    client = Client(script, options=dict(options, computeAhead="off", contextParts="none"))
    client.open(URI, TEXT)
    return client


def configure(client, **settings):
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": settings}})


def test_a_model_that_nobody_asks_leaves_memory_and_comes_back():
    client = client_of(SCRIPT.replace("300", "1200"), idleUnloadMinutes=SHORT)
    assert complete(client) == "42;"
    for round in range(2):
        assert own(client) > 120 * MEGABYTE
        client.until(lambda: not is_loaded(client), "unloading")
        client.until(lambda: own(client) < 60 * MEGABYTE or not FIGURES_COUNT, "memory that falls")
        now = status(client)
        assert now["engine"] == "ready" and now["model"]["name"] == "scripted"
        # The next one waits for the model, and nothing else waits for it.
        client.change(URI, round + 2, {"text": TEXT.replace("main", "main%d" % round)})
        start = time.monotonic()
        wanted = client.inline(URI, 2, 11)
        client.ask("textDocument/foldingRange", {"textDocument": {"uri": URI}})
        client.ask("textDocument/completion", {"textDocument": {"uri": URI}, "position": {"line": 2, "character": 7}})
        assert wanted not in client.answers and time.monotonic() - start < 1
        assert client.items(wanted)[0]["insertText"].strip() == "42;"
        assert time.monotonic() - start < 4
        assert is_loaded(client)
    client.close()


def test_a_request_at_any_moment_is_answered():
    client = client_of("open_ms 5\nmodel_mb 1\nanswer int x = => 42;\n", idleUnloadMinutes=0.0001)
    chance, unloaded = random.Random(7), 0
    for i in range(60):
        time.sleep(chance.uniform(0, 0.05))
        unloaded += not is_loaded(client)
        uri = "%s?%d" % (URI, i)  # nothing is remembered of it
        client.open(uri, TEXT)
        assert complete(client, uri) == "42;", i
    assert 0 < unloaded < 60, unloaded
    client.close()


def test_zero_keeps_it():
    client = client_of(SCRIPT, idleUnloadMinutes=0)
    client.until(lambda: is_loaded(client))
    time.sleep(0.7)
    assert is_loaded(client)
    configure(client, idleUnloadMinutes=SHORT)
    client.until(lambda: not is_loaded(client), "unloading")
    client.close()


def test_windows_share_the_smallest_setting():
    path = FOLDER + "/upkeep"
    program = start_program(SCRIPT, "--socket", path)
    for _ in range(500):
        try:
            one = Client(socket_path=path, options={"idleUnloadMinutes": 0, "memoryMegabytes": 900})
            break
        except OSError:
            time.sleep(0.02)
    one.until(lambda: is_loaded(one))
    two = Client(socket_path=path, options={"idleUnloadMinutes": SHORT, "memoryMegabytes": 0})
    memory = status(one)["memory"]
    assert memory["limitBytes"] == 900 * MEGABYTE and memory["idleUnloadMinutes"] == SHORT
    one.until(lambda: not is_loaded(one), "unloading")
    two.open(URI, TEXT)
    assert complete(two) == "42;"
    two.close()
    one.open(OTHER, TEXT)
    assert complete(one, OTHER) == "42;"
    one.until(lambda: status(one)["memory"]["idleUnloadMinutes"] == 0, "the setting of the window that stays")
    program.terminate()
    assert program.wait(10) == 0


def test_a_model_that_does_not_fit_is_refused():
    if not FIGURES_COUNT:
        return print("skipped, with a sanitizer")
    client = client_of(SCRIPT, memoryMegabytes=90)
    told = client.note("window/showMessage")["message"]
    assert "the script needs 100 MB, its limit is " in told, told
    now = status(client)
    assert now["engine"] == "failed" and now["error"] == told and now["residentBytes"] < 90 * MEGABYTE
    assert client.ask("textDocument/foldingRange", {"textDocument": {"uri": URI}})
    # It is open, but nothing could be asked.
    configure(client, memoryMegabytes=115)
    told = client.note("window/showMessage", lambda p: p["message"] != told)["message"]
    assert "prompt needs 20 MB, the limit of 115 MB (memoryMegabytes) leaves " in told, told
    assert own(client) < 90 * MEGABYTE
    configure(client, memoryMegabytes=400)
    client.until(lambda: status(client)["engine"] == "ready", "the model")
    assert complete(client) == "42;"
    client.close()


def test_a_model_that_was_refused_is_tried_again_when_memory_falls():
    if not FIGURES_COUNT:
        return print("skipped, with a sanitizer")
    client = client_of(SCRIPT, memoryMegabytes=90)
    large = ["untitled:large%d" % i for i in range(2)]
    for uri in large:
        client.open(uri, "a line of some length\n" * (25 * MEGABYTE // 22), "plaintext")
    client.until(lambda: own(client) > 50 * MEGABYTE, "the documents")
    configure(client, memoryMegabytes=150)
    client.until(lambda: status(client)["memory"]["limitBytes"] == 150 * MEGABYTE)
    client.until(lambda: status(client)["engine"] == "failed", "the second attempt")
    time.sleep(1.5)
    assert status(client)["engine"] == "failed"
    for uri in large:
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.until(lambda: status(client)["engine"] == "ready", "the third attempt")
    assert complete(client) == "42;"
    client.close()


def test_a_limit_is_kept_by_what_can_be_remade():
    if not FIGURES_COUNT:
        return print("skipped, with a sanitizer")
    write_file("parked/there.c", "int only_there(void)\n{\n    return 1;\n}\n")
    client = Client(SCRIPT, options={"computeAhead": "off", "contextParts": "none", "workspaceSymbol": True},
                    rootUri="file://" + FOLDER + "/parked")
    client.open(URI, TEXT)
    client.open(OTHER, TEXT)
    assert complete(client) == "42;" and complete(client, OTHER) == "42;"
    client.until(lambda: not status(client)["scanning"])

    def find():
        return client.ask("workspace/symbol", {"query": "only_there"}) or []

    def limit(bytes):
        configure(client, memoryMegabytes=bytes // MEGABYTE)
        return client.until(lambda: [m for m in [status(client)["memory"]]
                                     if m["limitBytes"] == bytes // MEGABYTE * MEGABYTE
                                     and m["anonymousBytes"] <= m["limitBytes"]], "the limit")[0]
    client.until(find)
    assert own(client) > 140 * MEGABYTE
    # The prompt of the older document is enough.
    given = limit(own(client) - 10 * MEGABYTE)["givenBack"]
    assert given["prompts"] > 0 and given["suggestions"] == given["indexes"] == given["models"] == 0, given
    assert is_loaded(client)
    # Now all of it, in this order.
    given = limit(own(client) - 60 * MEGABYTE)["givenBack"]
    assert given["suggestions"] == given["indexes"] == given["models"] == 1, given
    assert not is_loaded(client) and not status(client)["memory"]["aboveLimit"]
    assert status(client)["index"] == [i for i in status(client)["index"] if not i["path"]]
    client.until(find, "the folder's index")
    # What fits is opened again.
    configure(client, memoryMegabytes=400)
    client.change(URI, 2, {"text": TEXT})
    assert complete(client) == "42;"
    # Less than the process needs: said once.
    configure(client, memoryMegabytes=1)
    client.until(lambda: status(client)["memory"]["aboveLimit"], "that nothing is left")
    time.sleep(1.5)
    told = [n for n in client.notes if n["method"] == "window/logMessage" and "given back" in n["params"]["message"]]
    assert len(told) == 1 and "memoryMegabytes is 1" in told[0]["params"]["message"], told
    client.close()


run_tests(globals())
