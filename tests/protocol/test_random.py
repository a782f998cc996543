"""Random edits, requests, cancellations, closings and saves over three documents against shadows of them.

usage: test_random.py SERVER [STEPS [SEED]]; 1,000,000 steps by hand, a few thousand in ./dev test. It fails on a
text that differs, a request that is not answered exactly once, a server that dies, and memory that grows."""

import os
import random
import sys
import time

import driver
from driver import Client, FOLDER, FULL_CAPS, run_tests, write_file
from texts import random_change, to_position

STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
MAX_TEXT, IN_FLIGHT, CHECK_EVERY = 1500, 40, 500
driver.TIMEOUT_S = 120
PIECES = ["a", "fn", " ", "é", "漢", "😀", "\n", "\r\n", "{", "}", ";", "(", ")", "->", ".", "int ", "x", "return ", "#include \"",
          "def f(self):\n    ", "self.", "/*", "*/", "\"", "'", "\t", "struct s { int x; };\n", "void g(int x)\n{\n", "class A:\n"]
ON = {name: True for name in ("definition", "references", "rename", "workspaceSymbol", "signatureHelp", "hover", "documentSymbol", "semanticTokens")}
AT_POSITION = ["hover", "definition", "declaration", "documentHighlight", "completion", "signatureHelp", "prepareRename"]


class Shadow:
    def __init__(self, uri, language):
        self.uri, self.language, self.version, self.text, self.open = uri, language, 0, "", False


class Storm:
    def __init__(self, rng):
        root = os.path.join(FOLDER, "storm")
        for name in ("a.c", "b.py", "sub/c.h"):
            write_file("storm/" + name, "int fn(int x);\nint a;\n")
        self.client = Client(caps=dict(FULL_CAPS), rootUri="file://" + root, options=ON)
        self.encoding = self.client.initialized["capabilities"]["positionEncoding"]
        self.rng, self.waiting, self.sent, self.memory = rng, set(), 0, []
        self.docs = [Shadow("file://%s/a.c" % root, "c"), Shadow("file://%s/b.py" % root, "python"), Shadow("untitled:1", "c")]

    def new_text(self, n):
        return "".join(self.rng.choice(PIECES) for _ in range(n))

    def open(self, doc):
        doc.version, doc.text, doc.open = doc.version + 1, self.new_text(40), True
        self.client.open(doc.uri, doc.text, doc.language, doc.version)

    def edit(self, doc):
        changes = []
        for _ in range(self.rng.randint(1, 2)):
            if len(doc.text) > MAX_TEXT or self.rng.random() < 0.02:
                doc.text = self.new_text(60)
                changes.append({"text": doc.text})
            else:
                change, doc.text = random_change(self.rng, doc.text, self.new_text(self.rng.randint(0, 3)), self.encoding)
                changes.append(change)
        doc.version += 1
        self.client.change(doc.uri, doc.version, *changes)

    def place(self, doc):
        if self.rng.random() < 0.05:
            return {"line": self.rng.randint(0, 10 ** 6), "character": self.rng.randint(0, 10 ** 6)}
        return to_position(doc.text, self.rng.randint(0, len(doc.text)), self.encoding)[0]

    def request(self, doc):
        about, place, kind = {"textDocument": {"uri": doc.uri}}, self.place(doc), self.rng.randrange(20)
        whole = {"start": place, "end": place}
        if kind < 9:
            method, params = "textDocument/" + self.rng.choice(AT_POSITION), dict(about, position=place)
        elif kind < 11:
            method, params = "textDocument/references", dict(about, position=place, context={"includeDeclaration": True})
        elif kind < 13:
            method, params = "textDocument/inlineCompletion", dict(about, position=place, context={"triggerKind": self.rng.randint(1, 2)})
        elif kind < 14:
            method, params = "textDocument/rename", dict(about, position=place, newName=self.rng.choice(["zz", "a b", "fn"]))
        elif kind < 15:
            method, params = "workspace/symbol", {"query": self.rng.choice(["fn", "a", "", "xs", "é"])}
        elif kind < 16:
            method, params = "textDocument/codeAction", dict(about, range=whole, context={"diagnostics": []})
        elif kind < 17:
            method, params = "textDocument/selectionRange", dict(about, positions=[place])
        elif kind < 18:
            method, params = "textDocument/diagnostic", about
        else:
            method, params = "textDocument/" + self.rng.choice(["foldingRange", "documentSymbol", "semanticTokens/full"]), about
        self.waiting.add(self.client.request(method, params))
        self.sent += 1

    def drain(self, most):
        """Takes the answers that are there; waits until at most so many requests are open."""
        client = self.client
        def take():
            done = [i for i in self.waiting if i in client.answers]
            for i in done:
                self.waiting.discard(i)
                del client.answers[i]
            client.notes.clear()
            client.calls.clear()
            assert not client.ended, "the server ended"
            return len(self.waiting) <= most
        client.until(take, "answers to %d requests" % len(self.waiting))

    def check(self):
        self.drain(0)
        for doc in self.docs:
            if doc.open:
                result = self.client.ask("r1ls/documentText", {"textDocument": {"uri": doc.uri}})
                assert result == {"text": doc.text, "version": doc.version}, (SEED, doc.uri, doc.text, result)
        self.memory.append(self.client.ask("r1ls/status", {})["residentBytes"])
        twice = {i: n for i, n in self.client.counts.items() if n != 1}
        assert not twice, twice
        self.client.counts.clear()
        self.client.answers.clear()

    def step(self):
        doc, roll = self.rng.choice(self.docs), self.rng.random()
        if not doc.open:
            self.open(doc)
        elif roll < 0.55:
            self.edit(doc)
        elif roll < 0.92:
            self.request(doc)
        elif roll < 0.97 and self.waiting:
            self.client.notify("$/cancelRequest", {"id": self.rng.choice(sorted(self.waiting))})
        elif roll < 0.98:
            self.client.notify("textDocument/didSave", {"textDocument": {"uri": doc.uri}})
        elif roll < 0.985:
            self.client.notify("textDocument/didClose", {"textDocument": {"uri": doc.uri}})
            doc.open = False
        if len(self.waiting) > IN_FLIGHT:
            self.drain(IN_FLIGHT // 2)


def test_random_steps():
    storm, start = Storm(random.Random(SEED)), time.monotonic()
    for step in range(1, STEPS + 1):
        storm.step()
        if step % CHECK_EVERY == 0:
            storm.check()
        if step % 20000 == 0:
            print("%d steps, %d requests, %.0f s, %.0f MB" % (step, storm.sent, time.monotonic() - start, storm.memory[-1] / 1e6), flush=True)
    storm.check()
    third = max(1, len(storm.memory) // 3)
    early, late = max(storm.memory[:third + 1]), max(storm.memory[-third:])
    print("%d steps, %d requests, memory %.1f MB early, %.1f MB late" % (STEPS, storm.sent, early / 1e6, late / 1e6))
    if driver.is_sanitized():
        print("memory not judged: a sanitizer keeps what was freed")
    else:
        assert late < early * 1.25 + 16e6, storm.memory
    storm.client.close()


run_tests(globals())
