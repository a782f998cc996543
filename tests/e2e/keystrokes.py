#!/usr/bin/env python3
"""A scripted session: 500 keystrokes at 15 a second into a real file, an inline completion asked for
after each, as Neovim does it (the newer request supersedes; nothing is cancelled by the client) and,
every tenth time, as VS Code does it ($/cancelRequest before the next key).

usage: keystrokes.py R1LS [--assert] [--model PATH_OR_NAME] [--rate 15] [--keys 500]

Prints the distributions; with --assert fails unless every request was answered once, the texts agree,
the median of prompt tokens evaluated for a typed character is at most 4, and the engine is idle soon
after the last cancel. Times are printed, never judged.
"""
import argparse
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lsp_client import Client  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/base/text.c"


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def show(name, values, unit="ms"):
    print("  %-34s n %3d  median %7.1f  p95 %7.1f  max %7.1f %s" % (
        name, len(values), percentile(values, 0.5), percentile(values, 0.95), max(values, default=0), unit))


def session(args, model):
    text = SOURCE.read_text()
    start = text.index("TextSnap *text_edit(")
    head, typed, tail = text[:start], text[start:start + args.keys], text[start + args.keys:]
    # What is typed is cut out of the file; the rest stays after the cursor, from the next line on.
    tail = tail[tail.index("\n"):]
    client = Client([args.r1ls] + (["--model", model] if model else []))
    client.start(root_uri="file://" + str(ROOT), options={"gate": 0})
    uri = "file://" + str(SOURCE) + ".typed.c"
    client.notify("textDocument/didOpen", {"textDocument": {
        "uri": uri, "languageId": "c", "version": 1, "text": head + tail}})
    line, column = head.count("\n"), len(head) - head.rfind("\n") - 1
    ids, sent, evaluated = [], {}, []

    def ask():
        request = client.request("textDocument/inlineCompletion", {
            "textDocument": {"uri": uri}, "position": {"line": line, "character": column},
            "context": {"triggerKind": 2}})
        sent[request] = time.monotonic()
        ids.append(request)
        return request

    def explain():
        return client.call("r1ls/explain", {"textDocument": {"uri": uri}})["result"] or {}

    client.wait(ask(), 300)  # the prompt is warm from here on, as in a file that is being edited
    cold = explain()
    began = time.monotonic()
    for i, char in enumerate(typed):
        place = {"line": line, "character": column}
        client.notify("textDocument/didChange", {
            "textDocument": {"uri": uri, "version": i + 2},
            "contentChanges": [{"range": {"start": place, "end": place}, "text": char}]})
        line, column = (line + 1, 0) if char == "\n" else (line, column + 1)
        request = ask()
        due = began + (i + 1) / args.rate
        if i % 10 == 9:
            time.sleep(max(0, due - time.monotonic() - 0.01))
            client.notify("$/cancelRequest", {"id": request})
        time.sleep(max(0, due - time.monotonic()))
        if i % 25 == 24:  # a pause of thought: this one is answered in full
            client.wait(ids[-1], 120)
            facts = explain()
            if facts.get("version") == i + 2:
                evaluated.append(facts["evaluatedTokens"])
    took = time.monotonic() - began

    # Idle soon after the last cancel: one more request, cancelled at once, then the status.
    last = ask()
    client.notify("$/cancelRequest", {"id": last})
    cancelled_at = time.monotonic()
    client.wait(last, 60)
    idle_ms = None
    while time.monotonic() - cancelled_at < 30:
        status = client.call("r1ls/status", {})["result"]
        if not status["busy"]:
            idle_ms = (time.monotonic() - cancelled_at) * 1e3
            break
        time.sleep(0.002)
    for request in ids:
        client.wait(request, 120)

    # One typed character at a time, each waited for: the cost of a keystroke itself.
    single, first_token, total = [], [], []
    for i, char in enumerate("    size_t n_lines = text_n_lines(text);"):
        place = {"line": line, "character": column}
        client.notify("textDocument/didChange", {
            "textDocument": {"uri": uri, "version": 1000 + i},
            "contentChanges": [{"range": {"start": place, "end": place}, "text": char}]})
        column += 1
        client.wait(ask(), 120)
        facts = explain()
        if facts.get("version") == 1000 + i and facts["generatedTokens"]:
            single.append(facts["evaluatedTokens"])
            first_token.append(facts["ms"]["firstToken"])
            total.append(facts["ms"]["total"])
    wanted = head + typed + "    size_t n_lines = text_n_lines(text);" + tail
    same = client.call("r1ls/documentText", {"textDocument": {"uri": uri}})["result"]["text"] == wanted
    answered = [r for r in ids if len(client.answers.get(r, [])) == 1]
    codes = [client.answers[r][0][1].get("error", {}).get("code") for r in answered]
    latency = [(client.answers[r][0][0] - sent[r]) * 1e3 for r in answered if "result" in client.answers[r][0][1]]
    code = client.stop()

    print("%s: %d keys in %.1f s" % (model or "embedded", len(typed), took))
    print("  cold prompt: %d tokens, first token after %.0f ms" % (cold["promptTokens"], cold["ms"]["firstToken"]))
    print("  requests %d, answered once %d, superseded or cancelled %d, text equal %s, exit code %d"
          % (len(ids), len(answered), sum(c == -32800 for c in codes), same, code))
    show("answer while typing", latency)
    show("prompt tokens evaluated, a keystroke", single, "tokens")
    show("first token after a keystroke", first_token)
    show("suggestion after a keystroke", total)
    print("  idle after the last cancel: %s ms" % (None if idle_ms is None else round(idle_ms, 1)))
    if args.judge:
        assert len(answered) == len(ids), "requests without exactly one answer: %s" % sorted(set(ids) - set(answered))
        assert all(c in (None, -32800) for c in codes), "unexpected error codes: %s" % set(codes)
        assert same, "the server's text differs from what was typed"
        assert single and statistics.median(single) <= 4, "median %s prompt tokens a keystroke" % single
        assert idle_ms is not None, "the engine was still busy 30 s after the last cancel"
        assert code == 0, "exit code %d" % code


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("r1ls")
    parser.add_argument("--assert", dest="judge", action="store_true")
    parser.add_argument("--model", action="append", help="default: the embedded one, and coder-0.5b where it is cached")
    parser.add_argument("--rate", type=float, default=15)
    parser.add_argument("--keys", type=int, default=500)
    args = parser.parse_args()
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    real = os.path.join(cache, "r1ls/models/coder-0.5b.gguf")
    models = args.model or [None] + ([real] if os.path.exists(real) else [])
    for model in models:
        session(args, model)
    if not args.model and len(models) == 1:
        print("skipped: coder-0.5b is not in the cache (./dev model coder-0.5b)")


main()
