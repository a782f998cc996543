#!/usr/bin/env python3
"""A scripted session: 500 keystrokes at 15 a second into a real file, an inline completion asked for
after each. Every tenth request is cancelled as VS Code does it; every 25th key is followed by a pause
until the answer is there, and the typing then goes on at the same rate.

usage: keystrokes.py R1LS [--assert] [--model PATH] [--rate 15] [--keys 500]

Three parts, each printed with its distributions:
  typing  what a user gets at that rate: most requests are ended by the next key
  steps   one key at a time, each waited for: the cost of a typed character and of a line break
  cancel  a running request is cancelled: how long until the engine rests

--assert fails unless every request was answered once, the texts agree, a typed character costs at most
4 prompt tokens in the median (while typing and in steps), and the engine rests within a token of a
cancel (two tokens' time and SLACK_MS, because the asking costs time as well). No other time is judged.
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
STEPS = "    size_t n_lines = text_n_lines(text);\n    for (uint32_t row = 0; row < n_lines; row++)\n        "
N_CANCELS, SLACK_MS = 12, 15


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def show(name, values, unit="ms"):
    if not values:
        print("  %-38s none" % name)
        return
    print("  %-38s n %3d  median %7.1f  p95 %7.1f  max %7.1f %s"
          % (name, len(values), statistics.median(values), percentile(values, 0.95), max(values), unit))


class Typist:
    """A document in the server, a cursor in it, and every request that was made."""

    def __init__(self, r1ls, model, n_keys):
        text = SOURCE.read_text()
        start = text.index("TextSnap *text_edit(")
        self.before, self.keys = text[:start], text[start:start + n_keys]
        after = text[start + n_keys:]
        self.after = after[after.index("\n"):]  # what is typed is cut out of the file, up to a line's end
        self.client = Client([r1ls, "--standalone"] + (["--model", model] if model else []))
        self.client.start(root_uri="file://" + str(ROOT), options={"gate": 0, "prefixCacheMb": 0})
        self.uri, self.version, self.ids, self.sent = "file://%s.typed.c" % SOURCE, 1, [], {}
        self.client.notify("textDocument/didOpen", {"textDocument": {
            "uri": self.uri, "languageId": "c", "version": 1, "text": self.before + self.after}})
        self.line, self.column = self.before.count("\n"), len(self.before) - self.before.rfind("\n") - 1

    def type(self, char):
        place = {"line": self.line, "character": self.column}
        self.version += 1
        self.before += char
        self.client.notify("textDocument/didChange", {
            "textDocument": {"uri": self.uri, "version": self.version},
            "contentChanges": [{"range": {"start": place, "end": place}, "text": char}]})
        self.line, self.column = (self.line + 1, 0) if char == "\n" else (self.line, self.column + 1)

    def forget(self):
        """Ends the file anew, far from the cursor: what was suggested in another text holds no longer."""
        place = {"line": self.line + self.after.count("\n"), "character": 0}
        self.version += 1
        self.after += "\n"
        self.client.notify("textDocument/didChange", {
            "textDocument": {"uri": self.uri, "version": self.version},
            "contentChanges": [{"range": {"start": place, "end": place}, "text": "\n"}]})

    def ask(self):
        request = self.client.request("textDocument/inlineCompletion", {
            "textDocument": {"uri": self.uri}, "position": {"line": self.line, "character": self.column},
            "context": {"triggerKind": 2}})
        self.sent[request] = time.monotonic()
        self.ids.append(request)
        return request

    def cancel(self, request):
        self.client.notify("$/cancelRequest", {"id": request})

    def explain(self):
        return self.client.call("r1ls/explain", {"textDocument": {"uri": self.uri}})["result"] or {"version": 0}

    def is_busy(self):
        return self.client.call("r1ls/status", {})["result"]["busy"]

    def outcome(self, request):
        """suggestion, empty, dropped (null: the text moved on), cancelled (-32800), or the error."""
        answers = self.client.answers.get(request, [])
        if len(answers) != 1:
            return "answered %d times" % len(answers)
        message = answers[0][1]
        if "error" in message:
            code = message["error"]["code"]
            return "cancelled" if code == -32800 else "error %s" % code
        if message["result"] is None:
            return "dropped"
        return "suggestion" if message["result"]["items"] else "empty"


def type_session(typist, rate):
    """Facts of the requests that ran to their end: (keys since the one before, explain's answer).

    What the dropped requests between them evaluated is not told, so tokens a key are a lower bound here;
    the steps have no such gap.
    """
    finished, last_version = [], typist.version
    due = time.monotonic()
    for i, char in enumerate(typist.keys):
        typist.type(char)
        request = typist.ask()
        due += 1 / rate
        if i % 10 == 9:
            time.sleep(max(0, due - 0.01 - time.monotonic()))
            typist.cancel(request)
        time.sleep(max(0, due - time.monotonic()))
        if i % 25 == 24:
            typist.client.wait(request, 300)
        facts = typist.explain()
        if facts["version"] > last_version:
            if facts["from"] == "engine":
                finished.append((facts["version"] - last_version, facts))
            last_version = facts["version"]
        due = max(due, time.monotonic() - 1 / rate)  # a pause is a pause: no burst follows it
    for request in typist.ids:
        typist.client.wait(request, 300)
    return finished


def type_steps(typist):
    """(char typed, explain's answer) of keys that are each waited for."""
    typist.client.wait(typist.ask(), 300)  # what the typing left undone is not a step's cost
    steps = []
    for char in STEPS:
        typist.type(char)
        typist.client.wait(typist.ask(), 300)
        facts = typist.explain()
        assert facts["version"] == typist.version, "the request for version %d left no trace" % typist.version
        if facts["from"] == "engine":
            steps.append((char, facts))
    return steps


def measure_cancels(typist):
    """ms from a cancel to rest, for requests that were running then; and what they would have taken."""
    typist.forget()
    typist.client.wait(typist.ask(), 300)
    whole = typist.explain()
    token_ms = whole["ms"]["decode"] / max(1, whole["generatedTokens"])
    rests = []
    for trial in range(N_CANCELS):
        typist.forget()
        request = typist.ask()
        time.sleep((trial + 1) / (N_CANCELS + 2) * whole["ms"]["total"] * 0.7 / 1e3)
        if not typist.is_busy():
            continue
        typist.cancel(request)
        began = time.monotonic()
        while typist.is_busy() and time.monotonic() - began < 60:
            time.sleep(0.0005)
        rests.append((time.monotonic() - began) * 1e3)
    return token_ms, whole, rests


def judge(typist, code, finished, steps, token_ms, rests, same):
    outcomes = {typist.outcome(r) for r in typist.ids}
    assert outcomes <= {"suggestion", "empty", "dropped", "cancelled"}, "outcomes: %s" % outcomes
    assert same, "the server's text differs from what was typed"
    typing = [f["evaluatedTokens"] / n for n, f in finished]
    typed = [f["evaluatedTokens"] for char, f in steps if char != "\n"]
    assert typing and statistics.median(typing) <= 4, "while typing: %s prompt tokens a character" % typing
    assert statistics.median(typed) <= 4, "in steps: %s prompt tokens a character" % typed
    assert len(rests) >= N_CANCELS // 2, "only %d of %d requests were running when cancelled" % (len(rests), N_CANCELS)
    limit = 2 * token_ms + SLACK_MS
    assert statistics.median(rests) <= limit, "rest after %s ms, wanted %.1f in the median" % (rests, limit)
    assert code == 0, "exit code %d" % code


def session(args, model):
    typist = Typist(args.r1ls, model, args.keys)
    typist.client.wait(typist.ask(), 300)
    cold = typist.explain()
    began = time.monotonic()
    finished = type_session(typist, args.rate)
    took, n_typing = time.monotonic() - began, len(typist.ids)
    steps = type_steps(typist)
    token_ms, whole, rests = measure_cancels(typist)
    text = typist.client.call("r1ls/documentText", {"textDocument": {"uri": typist.uri}})["result"]["text"]
    same = text == typist.before + typist.after
    code = typist.client.stop()

    outcomes = [typist.outcome(r) for r in typist.ids[1:n_typing]]
    shown = [(typist.client.answers[r][0][0] - typist.sent[r]) * 1e3
             for r in typist.ids[1:n_typing] if typist.outcome(r) == "suggestion"]
    print("%s: load average %.1f" % (os.path.basename(model or "embedded"), os.getloadavg()[0]))
    print("  cold prompt: %d tokens, first token after %.0f ms" % (cold["promptTokens"], cold["ms"]["firstToken"]))
    print("  all %d requests answered once: %s; text equal: %s; exit code %d" % (
        len(typist.ids), all(not typist.outcome(r).startswith("answered") for r in typist.ids), same, code))
    print(" typing: %d keys in %.1f s; %s" % (len(typist.keys), took, ", ".join(
        "%s %d" % (o, outcomes.count(o)) for o in sorted(set(outcomes)))))
    show("request to suggestion", shown)
    show("first token, requests that finished", [f["ms"]["firstToken"] for _, f in finished if f["generatedTokens"]])
    show("prompt tokens a character (at least)", [f["evaluatedTokens"] / n for n, f in finished], "tokens")
    print(" steps:")
    for name, wanted in (("character", False), ("line break", True)):
        some = [f for char, f in steps if (char == "\n") == wanted]
        show("prompt tokens, a " + name, [f["evaluatedTokens"] for f in some], "tokens")
        show("first token after a " + name, [f["ms"]["firstToken"] for f in some if f["generatedTokens"]])
        show("whole suggestion after a " + name, [f["ms"]["total"] for f in some if f["generatedTokens"]])
    print(" cancel: a token takes %.1f ms, uncancelled the request takes %.0f ms" % (token_ms, whole["ms"]["total"]))
    show("cancel to rest", rests)
    sys.stdout.flush()
    if args.judge:
        judge(typist, code, finished, steps, token_ms, rests, same)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("r1ls")
    parser.add_argument("--assert", dest="judge", action="store_true")
    parser.add_argument("--model", action="append", help="default: the embedded one, and coder-0.5b where it is cached")
    parser.add_argument("--rate", type=float, default=15)
    parser.add_argument("--keys", type=int, default=500)
    args = parser.parse_args()
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    real = os.path.join(cache, "r1ls/models/coder-0.5b.gguf")
    for model in args.model or [None] + ([real] if os.path.exists(real) else []):
        session(args, model)
    if not args.model and not os.path.exists(real):
        print("not run with coder-0.5b: it is not in the cache (./dev model coder-0.5b)")


if __name__ == "__main__":
    main()
