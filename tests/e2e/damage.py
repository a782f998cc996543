#!/usr/bin/env python3
"""Damaged inputs against the built program: a clear error or a sensible answer, never a crash.

usage: damage.py R1LS [--model PATH]     Prints a line a case; fails at the first crash or wrong exit code.
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lsp_client import Client  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "engine/models/r1ls-mini.gguf"


def run(command, text=b"", seconds=300):
    done = subprocess.run(command, input=text, capture_output=True, timeout=seconds)
    if done.returncode < 0 or b"Sanitizer" in done.stderr:
        sys.exit("%s crashed with %d:\n%s" % (command, done.returncode, done.stderr.decode(errors="replace")[-3000:]))
    return done


def models(r1ls, folder):
    """Truncated and bit-flipped model files: opened with an error (exit 3), or run."""
    whole = MODEL.read_bytes()
    header = 1 << 20  # metadata, vocabulary and tensor directory
    rng = random.Random(5)
    path = folder / "damaged.gguf"
    outcomes = {}
    cuts = [0, 1, 3, 4, 7, 23, 24, 31, 100, 4096, header // 2, header, len(whole) // 2, len(whole) - 1]
    cases = [("cut at %d" % c, whole[:c]) for c in cuts]
    for i in range(40):
        data = bytearray(whole[:header] if i % 2 else whole)
        for _ in range(rng.choice([1, 1, 4, 64])):
            data[rng.randrange(header if i % 4 else 4096)] ^= 1 << rng.randrange(8)
        cases.append(("flipped bits %d" % i, bytes(data)))
    for name, data in cases:
        path.write_bytes(data)
        done = run([r1ls, "engine", "generate", str(path), "-n", "2"], b"int main(")
        if done.returncode not in (0, 3):
            sys.exit("%s: exit %d: %s" % (name, done.returncode, done.stderr.decode(errors="replace")))
        if done.returncode == 3 and not done.stderr.strip():
            sys.exit("%s: refused without a word" % name)
        outcomes[done.returncode] = outcomes.get(done.returncode, 0) + 1
    print("ok: %d damaged model files: %d refused, %d still ran" % (len(cases), outcomes.get(3, 0), outcomes.get(0, 0)))


def framing(r1ls):
    """A 2 GB Content-Length, garbage between messages, JSON that is none."""
    for name, data in [
        ("2 GB Content-Length", b"Content-Length: 2147483648\r\n\r\n{}"),
        ("negative length", b"Content-Length: -5\r\n\r\n{}"),
        ("no length", b"Content-Type: x\r\n\r\n{}"),
        ("garbage", bytes(range(256)) * 20),
        ("json that is none", b"Content-Length: 5\r\n\r\n{\"a\":"),
        ("deep json", b"Content-Length: 200000\r\n\r\n" + b"[" * 200000),
        ("null id", b'Content-Length: 40\r\n\r\n{"jsonrpc":"2.0","id":null,"method":"x"}'),
        ("nothing", b""),
    ]:
        done = run([r1ls], data)
        if done.returncode not in (0, 1):
            sys.exit("%s: exit %d" % (name, done.returncode))
    print("ok: 8 broken byte streams end the server cleanly")


def positions(r1ls):
    client = Client([r1ls, "--standalone"])
    client.start(options={"gate": 0, "prefixCacheMb": 0})
    uri = "file:///tmp/damage.c"
    text = "int f(void)\n{\n    return \U0001F600é;\n}\n"
    client.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "c", "version": 1, "text": text}})
    big = 2 ** 31 - 1
    for line, character in [(0, 0), (2, 12), (2, 13), (99, 0), (0, 999), (big, big), (-1, 0), (0, -7)]:
        for method, more in [("textDocument/inlineCompletion", {"context": {"triggerKind": 1}}),
                             ("textDocument/completion", {})]:
            reply = client.call(method, {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}, **more})
            if "result" not in reply and reply["error"]["code"] not in (-32602, -32803):
                sys.exit("%s at %d:%d: %s" % (method, line, character, reply))
    # Edits out of range, unknown documents, wrong types.
    client.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [
        {"range": {"start": {"line": 50, "character": 3}, "end": {"line": 90, "character": 1}}, "text": "x"}]})
    client.notify("textDocument/didChange", {"textDocument": {"uri": "file:///nowhere", "version": 2}, "contentChanges": [{"text": "x"}]})
    client.notify("textDocument/didChange", {"textDocument": 7})
    client.notify("textDocument/didOpen", None)
    for method in ["textDocument/codeAction", "textDocument/diagnostic", "codeAction/resolve", "workspace/executeCommand"]:
        for params in [None, 7, [], {}, {"textDocument": {}}]:
            client.call(method, params)
    client.send_bytes(b'{"jsonrpc":"2.0","id":4242,"method":"r1ls/status","params":{"x":"\xff\xfe\xc0"}}')
    reply = client.call("r1ls/documentText", {"textDocument": {"uri": uri}})
    if not reply["result"]["text"].startswith("int f(void)"):
        sys.exit("the document is lost: %s" % reply)
    if client.stop() != 0:
        sys.exit("the server did not end with 0")
    print("ok: positions out of range, wrong types and invalid UTF-8 are answered")


def texts(r1ls, folder):
    big = folder / "big.c"
    big.write_text("int x;\n" * (50 * 1024 * 1024 // 7))
    done = run([r1ls, "check", str(big)])
    print("ok: check of a file of 50 MB: exit %d" % done.returncode)
    if done.returncode not in (0, 3):
        sys.exit("wrong exit code: %s" % done.stderr.decode())
    done = run([r1ls, "complete", "%s:5:3" % big, "--json"])
    if done.returncode not in (1, 3):
        sys.exit("completion in a file of 50 MB: exit %d" % done.returncode)
    client = Client([r1ls, "--standalone"])
    client.start()
    uri = "file://%s" % big
    client.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "c", "version": 1, "text": big.read_text()}})
    client.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [
        {"range": {"start": {"line": 9, "character": 0}, "end": {"line": 9, "character": 0}}, "text": "y"}]})
    reply = client.call("textDocument/inlineCompletion", {"textDocument": {"uri": uri}, "position": {"line": 9, "character": 1}, "context": {"triggerKind": 1}})
    if "result" not in reply:
        sys.exit("completion in an open document of 50 MB: %s" % reply)
    if client.stop() != 0:
        sys.exit("the server did not end with 0")
    odd = folder / "odd.py"
    odd.write_bytes(b"\xff\xfe\x00def f(:\r\n\x80\x81\n" + bytes(range(256)))
    done = run([r1ls, "check", str(odd)])
    if done.returncode not in (0, 1):
        sys.exit("check of invalid UTF-8: exit %d" % done.returncode)
    done = run([r1ls, "complete", "%s:1:4" % odd, "--no-gate", "--json"])
    for arguments in [["complete", "nowhere.c:1:1"], ["complete", str(odd)], ["complete", "%s:0:1" % odd],
                      ["complete", "%s:99:1" % odd], ["generate", "%s:1" % odd, "--model", "/nowhere.gguf"],
                      ["check"], ["check", "/nowhere"], ["engine", "score", "embedded", "--ids", str(odd)], ["nonsense"]]:
        done = run([r1ls] + arguments)
        if done.returncode not in (1, 2, 3) or (done.returncode != 1 and not done.stderr.strip()):
            sys.exit("%s: exit %d, stderr %r" % (arguments, done.returncode, done.stderr))
    print("ok: 50 MB, invalid UTF-8 and wrong arguments")


def main():
    r1ls = os.path.realpath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        framing(r1ls)
        positions(r1ls)
        texts(r1ls, pathlib.Path(folder))
        models(r1ls, pathlib.Path(folder))


main()
