"""A project that is opened again has a warm prompt: two documents are completed, the server ends, and another one
begins with what the first one saved; a damaged file is ignored and removed.

    test_restart.py R1LS [--model M] [--rounds N]

Judged are tokens; times of the first token, with the cache and without, are printed side by side."""
import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

from lsp_client import Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ["src/base/text.c", "src/workspace/syntax.c"]


class Server:
    def __init__(self, command, cache_mb):
        self.client = Client(command + ["--standalone"])  # the resident one would keep its sessions
        self.client.start(root_uri="file://" + str(ROOT), options={"gate": 0, "prefixCacheMb": cache_mb})

    def complete(self, name):
        """explain's answer about a completion in the middle of a file."""
        text, uri = (ROOT / name).read_text(), "file://%s" % (ROOT / name)
        lines = text.split("\n")
        at = next(i for i in range(len(lines) * 3 // 4, len(lines)) if lines[i].startswith("    "))
        self.client.notify("textDocument/didOpen", {"textDocument": {
            "uri": uri, "languageId": "c", "version": 1, "text": text}})
        self.client.call("textDocument/inlineCompletion", {
            "textDocument": {"uri": uri}, "position": {"line": at, "character": len(lines[at])},
            "context": {"triggerKind": 2}})
        answer = self.client.call("r1ls/explain", {"textDocument": {"uri": uri}})["result"]
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        return answer.get("lastSuggestion") or answer

    def work(self):
        answers = [self.complete(name) for name in FILES]
        code = self.client.stop()
        if code != 0: sys.exit("the server ended with %s" % code)
        return answers


def show(what, answers):
    for name, a in zip(FILES, answers):
        print("  %-22s %-24s %4d of %4d tokens reused, first token after %7.1f ms" % (
            what, name, a["reusedTokens"], a["promptTokens"], a["ms"]["firstToken"]))


def saved(cache):
    return sorted((cache / "r1ls" / "prefixes").glob("*"))


def check(ok, what):
    if not ok: sys.exit("test_restart: " + what)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("r1ls")
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    command = [os.path.abspath(args.r1ls)] + (["--model", args.model] if args.model else [])
    cache = pathlib.Path(tempfile.mkdtemp(prefix="r1ls-restart-"))
    os.environ["XDG_CACHE_HOME"] = str(cache)
    try:
        run(command, cache, args.rounds)
    finally:
        shutil.rmtree(cache)


def run(command, cache, rounds):
    ratios = []
    for _ in range(rounds):
        cold = Server(command, 0).work()
        check(not saved(cache), "prefixCacheMb 0 saved %s" % saved(cache))
        show("no cache", cold)
        first = Server(command, 256).work()
        check(all(a["reusedTokens"] < 64 for a in first), "a first run found something: %s" % first)
        check(len(saved(cache)) == len(FILES), "saved %s" % saved(cache))
        check((cache / "r1ls" / "prefixes").stat().st_mode & 0o777 == 0o700, "the folder's mode")
        warm = Server(command, 256).work()
        show("opened again", warm)
        check(all(a["evaluatedTokens"] < 8 for a in warm), "not warm: %s" % warm)
        ratios += [c["ms"]["firstToken"] / w["ms"]["firstToken"] for c, w in zip(cold, warm)]
        for path in saved(cache):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        damaged = [(p.name, p.stat().st_mtime_ns) for p in saved(cache)]
        again = Server(command, 256).work()
        check(all(a["reusedTokens"] < 64 for a in again), "damaged files were used: %s" % again)
        check(damaged != [(p.name, p.stat().st_mtime_ns) for p in saved(cache)], "damaged files are left")
        shutil.rmtree(cache / "r1ls" / "prefixes")
    print("first token of a document opened again: %.1f times as soon (median)" % statistics.median(ratios))


main()
