"""Synchronisation: random edits in three encodings against Python's strings, and what is odd."""

import random

from driver import Client, at, run_tests
from texts import random_change

PIECES = ["a", "Z", " ", "é", "ß", "漢", "😀", "𝒳", "\n", "\r\n", "{", "}", ";", "\u0301", "\t"]


def random_text(rng, n):
    return "".join(rng.choice(PIECES) for _ in range(n))


def edit_randomly(encoding, seed):
    rng = random.Random(seed)
    caps = {"general": {"positionEncodings": [encoding]}}
    client = Client(caps=caps, options={"positionEncoding": encoding})
    assert client.initialized["capabilities"]["positionEncoding"] == encoding
    uri, text = "untitled:%d" % seed, random_text(rng, 60)
    client.open(uri, text)
    for version in range(2, 202):
        changes = []
        for _ in range(rng.randint(1, 3)):
            new = random_text(rng, rng.randint(0, 6))
            if rng.random() < 0.05:
                text = new
                changes.append({"text": new})
                continue
            change, text = random_change(rng, text, new, encoding)
            changes.append(change)
        client.change(uri, version, *changes)
        if version % 10 == 0:
            assert client.text(uri) == text, (encoding, seed, version)
    result = client.ask("r1ls/documentText", {"textDocument": {"uri": uri}})
    assert result == {"text": text, "version": 201}
    client.close()


def test_random_edits_utf8():
    edit_randomly("utf-8", 1)


def test_random_edits_utf16():
    edit_randomly("utf-16", 2)
    edit_randomly("utf-16", 3)


def test_random_edits_utf32():
    edit_randomly("utf-32", 4)


def test_positions_out_of_range_are_clamped():
    client = Client()
    uri = "file:///tmp/clamp.c"
    client.open(uri, "ab\ncd")
    client.change(uri, 2, {"range": at(0, 99), "text": "X"})
    assert client.text(uri) == "abX\ncd"
    client.change(uri, 3, {"range": at(99, 5), "text": "Y"})
    assert client.text(uri) == "abX\ncdY"
    client.change(uri, 4, {"range": {"start": {"line": 4294967295, "character": 4294967295},
                                     "end": {"line": 0, "character": 0}}, "text": ""})
    assert client.text(uri) == ""
    client.change(uri, 5, {"range": {"start": {"line": -3, "character": -1},
                                     "end": {"line": 1e300, "character": 5}}, "text": "n"})
    assert client.text(uri) == "n"
    client.close()


def test_invalid_utf8_is_kept_apart():
    client = Client()
    uri = "file:///tmp/bytes.c"
    body = (b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"'
            + uri.encode() + b'","languageId":"c","version":1,"text":"a\xff\xc3b"}}}')
    client.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    assert client.text(uri) == "a\ufffd\ufffdb"
    client.change(uri, 2, {"range": at(0, 3), "text": "-"})
    assert client.text(uri) == "a\ufffd\ufffd-b"
    client.close()


def test_unopened_and_closed_documents():
    client = Client()
    uri = "file:///tmp/none.c"
    client.change(uri, 2, {"text": "x"})
    assert client.fail("r1ls/documentText", {"textDocument": {"uri": uri}}) == -32602
    client.open(uri, "one")
    client.open(uri, "two", version=7)
    result = client.ask("r1ls/documentText", {"textDocument": {"uri": uri}})
    assert result == {"text": "two", "version": 7}
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert client.fail("r1ls/documentText", {"textDocument": {"uri": uri}}) == -32602
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.close()


def test_a_large_document():
    client = Client()
    uri, text = "file:///tmp/large.c", "int x;\n" * 3_000_000
    client.open(uri, text)
    client.change(uri, 2, {"range": at(2_999_999, 0), "text": "// end\n"})
    assert client.text(uri)[-20:] == (text[:-7] + "// end\nint x;\n")[-20:]
    assert client.items(client.inline(uri, 5, 3)) == []
    client.close()


run_tests(globals())
