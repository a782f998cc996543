#!/usr/bin/env python3
"""How often suggestions are right, and how soon: holes in code that no model of ours saw.

Usage: quality.py R1LS [--model M]... [--holes N] [--kinds rest,line,block] [--languages c,cpp,python]
       [--per-file N] [--sources DIR] [--context none,definitions,...] [--llama PATH] [--jobs N --threads T]
       [--out DIR] [--seconds S] [--compile] [--report] [--show N]

Punches holes (tests/bench/holes.py) into held-out sources and asks the real server for ghost text, once for each
--model ("embedded", the default, or a file, or a name in the user's cache) and each --context (words of contextParts;
parts within one are joined by +). With --llama, a llama-server, the same holes go through it with the plain prompt: the
nearest 1,500 characters before and 600 after, cut at the suffix; both are asked for a hole one after the other by the
same worker, so that their times can be compared.

A worker has a server of --threads threads for each model and context, and --jobs of them work at once. Every answer is
written at once as a JSON line in DIR/answers.jsonl, and what is there already is not asked again: a run that was ended (by
--seconds, too) goes on. Holes are asked in the order in which they were drawn, with all models and contexts one after the
other: what there was time for is a fair sample of kinds, languages and packages, the same for all.
Nothing is fetched when --sources is given. --compile looks afterwards which suggestions a compiler takes (python's own,
cc -fsyntax-only with empty files for headers that are missing): no more errors than the original has.

Prints tables: shown (at the model's gate) and exact of these, exact, prefix (the first line is a right beginning), syntax
(no more errors than the original), compiles, and the times of answers. Exact means the cursor's line, or all lines of a
block. "closed" holes stand within brackets that an editor has closed.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import holes
import quality_report
from llama_server import LlamaServer, fim_parts

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from lsp_client import Client  # noqa: E402

BEFORE, AFTER = 1500, 600                 # characters of the plain prompt
MAX_TOKENS = {"block": 128}               # of an answer; else LINE_TOKENS
LINE_TOKENS, READY_S, ANSWER_S = 48, 120, 300
LANGUAGE_IDS = {"c": "c", "cpp": "cpp", "python": "python"}


started = []  # processes that do not end by themselves with this one


def on_signal(number, _):
    for process in started:
        process.kill()
    os._exit(128 + number)


# --- the two that answer


class Ours:
    """`r1ls`, as an editor starts it, in one package after the other; nothing is shared with the user's own server or
    caches."""

    def __init__(self, args, model, context, cache):
        command = [args.r1ls, "--standalone", "--threads", str(args.threads)]
        if model != "embedded":
            command += ["--model", path_of(model)]
        env = dict(os.environ, XDG_CACHE_HOME=cache, XDG_STATE_HOME=cache, XDG_RUNTIME_DIR=cache)
        self.client, self.context, self.package, self.kind = Client(command, env), context, None, None
        options = {"gate": 1e-30, "budgetMs": 0, "computeAhead": "off", "prefixCacheMb": 0, "compilerDiagnostics": False,
                   "rulesOff": "all", "contextParts": context.replace("+", ",")}
        if context == "none":
            options["indexFiles"] = 0
        self.chosen = dict(s.split("=", 1) for s in args.set)
        options.update(self.chosen)
        self.client.start(None, options, encodings=("utf-8",))
        self.wait_ready()
        self.warm_up()

    def wait_ready(self):
        end = time.monotonic() + READY_S
        while self.is_busy() and time.monotonic() < end:
            time.sleep(.02)

    def enter(self, hole):
        """The hole's package is the one folder, and as many lines are wanted as its kind has."""
        if hole.kind != self.kind:
            self.kind = hole.kind
            self.client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {
                "multiLine": hole.kind == "block", "maxTokens": MAX_TOKENS.get(hole.kind, LINE_TOKENS),
                **self.chosen}}})
        if hole.package != self.package:
            old, self.package = self.package, hole.package
            folders = [[{"uri": p.as_uri(), "name": p.name}] if p else [] for p in (self.package, old)]
            self.client.notify("workspace/didChangeWorkspaceFolders", {"event": dict(zip(("added", "removed"), folders))})
            self.wait_ready()

    def warm_up(self):
        """Pages of the weights come in by a document that says nothing of the holes."""
        uri = "untitled:warm.c"
        self.client.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "c", "version": 1,
                                                                     "text": "int main(void)\n{\n    return \n}\n"}})
        self.client.call("textDocument/inlineCompletion", {
            "textDocument": {"uri": uri}, "position": {"line": 2, "character": 11}, "context": {"triggerKind": 1}})
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def is_busy(self):
        status = self.client.call("r1ls/status", {})["result"]
        if status["engine"] == "failed":
            sys.exit("quality: " + status["error"])
        return status["engine"] == "loading" or (self.context != "none" and status["scanning"])

    def n_errors(self, uri, text, version):
        self.client.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": version},
                                                      "contentChanges": [{"text": text}]})
        report = self.client.call("textDocument/diagnostic", {"textDocument": {"uri": uri}})["result"]
        return sum(item["code"] == "syntax" for item in report["items"])

    def ask(self, hole):
        self.enter(hole)
        uri, document = hole.path.as_uri(), {"uri": hole.path.as_uri()}
        self.client.notify("textDocument/didOpen", {"textDocument": {
            "uri": uri, "languageId": LANGUAGE_IDS[hole.language], "version": 1, "text": hole.document}})
        # The context is chosen from the syntax tree, which an editor's document has long had.
        self.client.call("textDocument/foldingRange", {"textDocument": document})
        column = len(hole.text[hole.line_start:hole.start].encode())
        start = time.monotonic()
        asked = self.client.request("textDocument/inlineCompletion", {
            "textDocument": document, "position": {"line": hole.row, "character": column},
            "context": {"triggerKind": 1}})
        result = self.client.wait(asked, ANSWER_S)["result"]
        ms = 1e3 * (self.client.answers[asked][0][0] - start)
        why = self.client.call("r1ls/explain", {"textDocument": document})["result"]
        self.opened = (uri, hole)
        insert, replaced = "", 0
        for item in (result or {}).get("items", [])[:1]:
            tail = hole.document[hole.start:].split("\n")[0].encode()
            n_bytes = item["range"]["end"]["character"] - column
            insert, replaced = item["insertText"], len(tail[:n_bytes].decode())
        return {"insert": insert, "replaced": replaced, "ms": ms, "why": why["why"],
                "line_prob": why.get("lineProbability"), "whole_prob": why.get("wholeProbability"),
                "prompt_tokens": why["promptTokens"], "piece_tokens": why["pieceTokens"],
                "reused_tokens": why["reusedTokens"], "tokens": why["generatedTokens"]}

    def adds_error(self, answer):
        """Has the document of the last question more syntax errors with this answer than the original?"""
        uri, hole = self.opened
        text = hole.filled(answer["insert"], answer["replaced"])
        self.version = getattr(self, "version", 1) + 2
        return self.n_errors(uri, text, self.version) > self.n_errors(uri, hole.text, self.version + 1)

    def close_document(self):
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.opened[0]}})

    def close(self):
        self.client.process.kill()
        self.client.process.wait()


class Llama(LlamaServer):
    """The plain prompt. The ids of its control tokens are those of the file, as r1ls reads them."""

    def __init__(self, args, model):
        self.info = json.loads(subprocess.run([args.r1ls, "model", "info", path_of(model), "--json"], check=True,
                                              capture_output=True).stdout)
        super().__init__(args.llama, path_of(model), args.threads, 4096, args.llama_options.split(), started.append)

    def prompt(self, hole):
        before = hole.text[max(0, hole.start - BEFORE):hole.start]
        after = hole.document[hole.start:hole.start + AFTER]
        line = before[before.rfind("\n") + 1:] if self.info["fim_order"] == "line last" else ""
        parts = fim_parts(self.info, before[:len(before) - len(line)], after) + [line]
        return ([self.info["bos"]] if self.info["add_bos"] == "yes" else []) + [p for p in parts if p != ""]

    def ask(self, hole):
        body = {"prompt": self.prompt(hole), "n_predict": MAX_TOKENS.get(hole.kind, LINE_TOKENS), "temperature": 0,
                "cache_prompt": True, "stop": [] if hole.kind == "block" else ["\n"]}
        request = urllib.request.Request(self.url + "/completion", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        start = time.monotonic()
        answer = json.loads(urllib.request.urlopen(request, timeout=ANSWER_S).read())
        ms = 1e3 * (time.monotonic() - start)
        return {"insert": cut_at_suffix(hole, answer["content"]), "replaced": 0, "ms": ms,
                "prompt_tokens": answer["tokens_evaluated"], "tokens": answer["tokens_predicted"],
                "raw": answer["content"]}


def cut_at_suffix(hole, text):
    """What stands before the place where the answer begins to say what follows the cursor."""
    rest, _, below = hole.document[hole.start:].partition("\n")
    if hole.kind != "block":
        text = text.split("\n")[0]
    if rest.strip() and rest.strip() in text:
        return text[:text.index(rest.strip())]
    following = next((line for line in below.split("\n") if line.strip()), "")
    if hole.kind == "block" and following and "\n" + following in text:
        text = text[:text.index("\n" + following)]
    return text.rstrip()


def path_of(model):
    if model == "embedded":
        return str(ROOT / "engine/models/r1ls-mini.gguf")
    if os.path.exists(model):
        return os.path.abspath(model)
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return str(pathlib.Path(cache) / "r1ls/models" / (model + ".gguf"))


# --- the work


class Writer:
    """The file of answers: one line each, written by whichever worker has one."""

    def __init__(self, path):
        self.file, self.lock = open(path, "a"), threading.Lock()

    def add(self, row):
        with self.lock:
            self.file.write(json.dumps(row) + "\n")
            self.file.flush()


def key_of(row):
    return row["who"], row["model"], row["context"], row["hole"]


def units(args, chosen, done):
    """(model, context, hole), in the order in which they are asked."""
    for hole, model, context in itertools.product(chosen, args.model, args.context):
        if any((who, model, context, hole.id) not in done for who in peers(args, context)):
            yield model, context, hole


def peers(args, context):
    return ["r1ls", "llama"] if args.llama and context == args.context[0] else ["r1ls"]


class Worker:
    """Asks for one hole after the other, each model and context through a server that stays."""

    def __init__(self, args, done, writer):
        self.args, self.done, self.writer = args, done, writer
        self.servers, self.llamas = {}, {}
        self.cache = tempfile.TemporaryDirectory(prefix="r1ls-quality-")

    def llama_for(self, model):
        if model not in self.llamas:
            self.llamas[model] = Llama(self.args, model)
        return self.llamas[model]

    def one(self, ours, model, context, hole):
        mine = ours.ask(hole)
        for who in peers(self.args, context):
            answer = mine
            if who == "llama":
                try:
                    answer = self.llama_for(model).ask(hole)
                except SystemExit as failure:  # ours are measured even so
                    print("quality: %s" % failure, file=sys.stderr)
                    self.args.llama = None
                    continue
            row = {"who": who, "model": model, "context": context, "hole": hole.id, "kind": hole.kind,
                   "language": hole.language, **answer, **holes.judge(hole, answer["insert"], answer["replaced"])}
            row["syntax"] = row["exact"] or not ours.adds_error(answer)
            row["missing"] = hole.missing
            if key_of(row) not in self.done:
                self.writer.add(row)
        ours.close_document()

    def unit(self, model, context, hole):
        try:
            if (model, context) not in self.servers:
                self.servers[model, context] = Ours(self.args, model, context, self.cache.name)
            self.one(self.servers[model, context], model, context, hole)
        except (EOFError, TimeoutError, OSError) as failure:
            print("quality: %s: %r" % (hole.id, failure), file=sys.stderr)
            if server := self.servers.pop((model, context), None):
                server.close()

    def close(self):
        for server in [*self.servers.values(), *self.llamas.values()]:
            server.close()
        self.cache.cleanup()


def run(args, chosen):
    path = args.out / "answers.jsonl"
    done = {key_of(row) for row in holes.load_lines(path)}
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        path.write_bytes(path.read_bytes() + b"\n")  # the line that was cut off stays a line of its own
    writer, waiting = Writer(path), queue.SimpleQueue()
    todo = list(units(args, chosen, done))
    for unit in todo:
        waiting.put(unit)
    deadline = time.monotonic() + args.seconds

    def work():
        worker = Worker(args, done, writer)
        while time.monotonic() < deadline:
            try:
                worker.unit(*waiting.get_nowait())
            except queue.Empty:
                break
        worker.close()

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for future in [pool.submit(work) for _ in range(min(args.jobs, len(todo)))]:
            future.result()


def read_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("r1ls")
    parser.add_argument("--model", action="append", default=[], help="embedded, a file, or a name in the user's cache")
    parser.add_argument("--holes", type=int, default=300)
    parser.add_argument("--kinds", default="rest,line,block")
    parser.add_argument("--languages", default="c,cpp,python")
    parser.add_argument("--per-file", type=int, help="holes of one file at most: small packages have few files")
    parser.add_argument("--sources", type=pathlib.Path, help="a folder of packages; default: fetched into the user's cache")
    parser.add_argument("--context", default="none", help="such as none,definitions,definitions+header")
    parser.add_argument("--llama", help="a llama-server, to be asked the same")
    parser.add_argument("--llama-options", default="-fa on", help="of its command line")
    parser.add_argument("--jobs", type=int, default=1, help="servers at once")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each")
    parser.add_argument("--out", type=pathlib.Path, help="folder of answers.jsonl; what is there is not asked again")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no hole after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="another setting, KEY=VALUE")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--report", action="store_true", help="ask nothing, print what is there")
    parser.add_argument("--show", type=int, default=0, help="print so many wrong suggestions")
    args = parser.parse_args()
    args.r1ls = os.path.abspath(args.r1ls)
    args.model = args.model or ["embedded"]
    args.context = args.context.split(",")
    return args


def main():
    args = read_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    sources = (args.sources or holes.default_sources()).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        args.out = args.out or pathlib.Path(scratch)
        args.out.mkdir(parents=True, exist_ok=True)
        kinds = args.kinds.split(",")
        if not set(kinds) <= set(holes.KINDS):
            sys.exit("quality: --kinds %s, wanted some of %s" % (args.kinds, ",".join(holes.KINDS)))
        chosen = holes.choose(sources, args.holes, kinds, args.languages.split(","), args.seed,
                              args.per_file)
        if len(chosen) < args.holes:
            print("quality: %d holes found of %d" % (len(chosen), args.holes), file=sys.stderr)
        if not args.report:
            run(args, chosen)
        if args.compile:
            quality_report.compile_all(args.out, {hole.id: hole for hole in chosen}, args.jobs * args.threads)
        quality_report.print_all(args.out, args.show)


if __name__ == "__main__":
    main()
