#!/usr/bin/env python3
"""How soon come answers that need no model, while the model works?

usage: answers.py R1LS [--rounds N] [--lines N] [--model M] [--idle]

Opens a C file of so many lines (sources of this project, joined) in the real server. Two more client threads keep the
engine busy with ghost text for two other documents, one request after the other each. In between, each round types a character
into the large file and asks for everything that needs no model. Printed for each method: the time until the answer
(median, 99th percentile, maximum), the CPU time of the loop thread for it, and how long that thread was ready to run and
had no core: on a machine that others use the last one explains the first. --idle leaves the engine alone; the CPU time of
all threads, workers too, is then what an answer costs.
"""
import argparse
import pathlib
import sys
import tempfile
import os
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from lsp_client import Client  # noqa: E402

LIMIT_MS = 16
SOURCES = ["src/loop/loop.c", "src/loop/framework.c", "src/jobs.c", "src/index/ask.c", "src/formal/formal.c"]
ON = {name: True for name in ("documentSymbol", "hover", "definition", "references", "signatureHelp", "semanticTokens",
                              "workspaceSymbol")}


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


class Bench:
    def __init__(self, args, cache):
        env = dict(os.environ, XDG_CACHE_HOME=cache, XDG_STATE_HOME=cache, XDG_RUNTIME_DIR=cache)
        self.client = Client([args.r1ls, "--standalone", *(["--model", args.model] if args.model else [])], env)
        self.client.start((ROOT / "src").as_uri(), dict(ON, gate=0, computeAhead="off", prefixCacheMb=0, rankCompletion=False))
        text = "\n".join((ROOT / name).read_text() for name in SOURCES)
        self.lines = text.split("\n")[:args.lines]
        self.uri, self.version = (ROOT / "src/large.c").as_uri(), 1
        self.others = [(ROOT / name).as_uri() for name in ("src/busy.c", "src/busier.c")]
        self.open(self.uri, "\n".join(self.lines))
        self.busy_text = (ROOT / "src/base/text.c").read_text()
        for other in self.others:
            self.open(other, self.busy_text)
        while self.client.call("r1ls/status", {})["result"]["scanning"] or self.status() == "loading":
            time.sleep(.05)
        # Places in the middle: a call with arguments and the name that it calls.
        self.row = next(i for i in range(len(self.lines) // 2, len(self.lines)) if "arena_array(" in self.lines[i])
        self.column = self.lines[self.row].index("arena_array(")
        self.times, self.results, self.done, self.n_busy = {}, {}, threading.Event(), 0

    def status(self):
        return self.client.call("r1ls/status", {})["result"]["engine"]

    def open(self, uri, text):
        self.client.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "c", "version": 1, "text": text}})

    def keep_busy(self, uri):
        """Ghost text at one line after the other. Two such threads leave the engine no pause between two answers."""
        rows = [i for i, line in enumerate(self.busy_text.split("\n")) if line.startswith("    ") and line.endswith(";")]
        while not self.done.is_set():
            row = rows[self.n_busy % len(rows)]
            asked = self.client.request("textDocument/inlineCompletion", {
                "textDocument": {"uri": uri}, "position": {"line": row, "character": 4}, "context": {"triggerKind": 1}})
            while asked not in self.client.answers and not self.done.is_set():
                time.sleep(.005)
            self.n_busy += 1

    def spent_ns(self):
        """(ns that the loop thread has run, ns that it was ready and waited for a core, ns that all threads have run)."""
        tasks = pathlib.Path("/proc/%d/task" % self.client.process.pid)
        run, wait, _ = (tasks / str(self.client.process.pid) / "schedstat").read_text().split()
        return int(run), int(wait), sum(int((t / "schedstat").read_text().split()[0]) for t in tasks.iterdir())

    def ask(self, name, method, params):
        before, start = self.spent_ns(), time.monotonic()
        asked = self.client.request(method, dict(params, textDocument={"uri": self.uri}))
        while asked not in self.client.answers:
            time.sleep(.0002)
        at, message = self.client.answers[asked][0]
        after = self.spent_ns()
        if "error" in message or message["result"] is None:
            sys.exit("answers: %s: %s" % (method, message))
        self.times.setdefault(name, []).append((1e3 * (at - start), *((b - a) / 1e6 for a, b in zip(before, after))))
        return message["result"]

    def type(self, text):
        self.version += 1
        place = {"line": self.row - 1, "character": 0}
        self.client.notify("textDocument/didChange", {"textDocument": {"uri": self.uri, "version": self.version},
                                                      "contentChanges": [{"range": {"start": place, "end": place}, "text": text}]})

    def round(self, id):
        place = {"position": {"line": self.row, "character": self.column + 3}}
        call = {"position": {"line": self.row, "character": self.column + len("arena_array(")}}
        self.type(" ")
        self.ask("completion after a key", "textDocument/completion", place)
        self.ask("hover", "textDocument/hover", place)
        self.ask("definition", "textDocument/definition", place)
        self.ask("documentHighlight", "textDocument/documentHighlight", place)
        self.ask("signatureHelp", "textDocument/signatureHelp", call)
        self.ask("documentSymbol", "textDocument/documentSymbol", {})
        self.ask("foldingRange", "textDocument/foldingRange", {})
        self.type(" ")
        result = self.ask("semanticTokens delta after a key", "textDocument/semanticTokens/full/delta", {"previousResultId": id})
        self.ask("semanticTokens range, 60 lines", "textDocument/semanticTokens/range", {
            "range": {"start": {"line": self.row, "character": 0}, "end": {"line": self.row + 60, "character": 0}}})
        return result["resultId"]

    def print(self):
        whole = [times[0] for some in self.times.values() for times in some]
        print("| method | median ms | p99 ms | max ms | loop CPU p99 | loop waits for a core p99 | all CPU median, p99 | over %d ms |" % LIMIT_MS)
        print("|---|---|---|---|---|---|---|---|")
        rows = list(self.times.items())
        for name, times in rows + [("all", [t for _, some in rows for t in some])]:
            wall, cpu, wait, every = zip(*times)
            print("| %s | %.2f | %.1f | %.1f | %.2f | %.1f | %.2f, %.1f | %.1f%% |" % (
                name, percentile(wall, .5), percentile(wall, .99), max(wall), percentile(cpu, .99), percentile(wait, .99),
                percentile(every, .5), percentile(every, .99), 100 * sum(w > LIMIT_MS for w in wall) / len(wall)))
        print("over all kinds: median %.1f ms, p99 %.1f ms, wanted at most %d ms" % (
            percentile(whole, .5), percentile(whole, .99), LIMIT_MS))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("r1ls")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--model")
    parser.add_argument("--idle", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        bench = Bench(args, cache)
        for uri in [] if args.idle else bench.others:
            threading.Thread(target=bench.keep_busy, args=(uri,), daemon=True).start()
        id = bench.ask("semanticTokens full", "textDocument/semanticTokens/full", {})["resultId"]
        for _ in range(args.rounds):
            id = bench.round(id)
        bench.done.set()
        bench.print()
        print("%d suggestions asked for meanwhile, load %.0f" % (bench.n_busy, os.getloadavg()[0]))
        bench.client.process.kill()


if __name__ == "__main__":
    main()
