"""A client of the server program, for transcripts: standard library only.

Every answer is kept by id with its count, so that a test can say "answered exactly once"."""

import atexit
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SERVER = sys.argv[1] if len(sys.argv) > 1 else None
FOLDER = tempfile.mkdtemp(prefix="r1ls-protocol-")
atexit.register(shutil.rmtree, FOLDER, True)
os.environ["XDG_STATE_HOME"] = FOLDER  # nothing is trusted but by a test
os.environ["XDG_CACHE_HOME"] = os.path.join(FOLDER, "cache")  # nothing is indexed yet
TIMEOUT_S = 30
# Where bubblewrap cannot work, as in some containers, commands run without it.
SANDBOX = "bwrap" if subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]).returncode == 0 else "rlimits"


def is_sanitized():
    """Sanitizers have memory of their own, and hold on to what was freed."""
    with open(SERVER, "rb") as program:
        image = program.read()
    return b"__asan_init" in image or b"__tsan_init" in image


FULL_CAPS = {
    "general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]},
    "window": {"workDoneProgress": True},
    "workspace": {
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}},
    },
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}},
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
            "tagSupport": {"valueSet": [1]},
        }
    },
}


def write_file(name, text):
    path = os.path.join(FOLDER, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def frame(value):
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def start_program(script, *arguments, **options):
    path = write_file("script-%d" % time.monotonic_ns(), script)
    log = open(os.path.join(FOLDER, "log"), "ab")
    program = subprocess.Popen([SERVER, path, *arguments], stderr=log, **options)
    atexit.register(program.kill)  # of a test that fails; nothing where it has ended
    return program


class Client:
    """Over the pipes of a program of its own, or over a socket that somebody listens on."""

    def __init__(self, script="", caps=None, options=None, socket_path=None, initialize=True, **extra):
        self.answers, self.counts, self.notes, self.calls = {}, {}, [], []
        self.changed = threading.Condition()
        self.writing = threading.Lock()
        self.last_id = 0
        self.replies = {}
        self.program = None
        if socket_path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(socket_path)
            self.input = self.socket.makefile("rb")
            self.output = self.socket.makefile("wb")
        else:
            self.program = start_program(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.input, self.output = self.program.stdout, self.program.stdin
        self.ended = False
        threading.Thread(target=self._read, daemon=True).start()
        if initialize:
            params = {"processId": None, "rootUri": None, "capabilities": FULL_CAPS if caps is None else caps}
            if options is not None:
                params["initializationOptions"] = options
            params.update(extra)
            self.initialized = self.ask("initialize", params)
            self.notify("initialized", {})

    def _read(self):
        while True:
            length = None
            while True:
                line = self.input.readline()
                if not line:
                    with self.changed:
                        self.ended = True
                        self.changed.notify_all()
                    return
                if line == b"\r\n":
                    break
                name, value = line.split(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self._take(json.loads(self.input.read(length)))

    def _take(self, message):
        assert message["jsonrpc"] == "2.0"
        reply = None
        with self.changed:
            if "method" not in message:
                id = message["id"]
                self.answers[id] = message
                self.counts[id] = self.counts.get(id, 0) + 1
            elif "id" in message:
                self.calls.append(message)
                result = self.replies.get(message["method"])
                reply = result(message["params"]) if callable(result) else result
            else:
                self.notes.append(message)
            self.changed.notify_all()
        if "id" in message and "method" in message:
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": reply})

    def send_bytes(self, data):
        with self.writing:
            self.output.write(data)
            self.output.flush()

    def send(self, value):
        self.send_bytes(frame(value))

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method, params):
        self.last_id += 1
        self.send({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params})
        return self.last_id

    def until(self, condition, what="the condition"):
        end = time.monotonic() + TIMEOUT_S
        with self.changed:
            while True:
                value = condition()
                if value:
                    return value
                assert time.monotonic() < end, "no " + what + " within %d s" % TIMEOUT_S
                self.changed.wait(0.05)

    def answer(self, id):
        return self.until(lambda: self.answers.get(id), "answer to %r" % id)

    def ask(self, method, params):
        answer = self.answer(self.request(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    def fail(self, method, params):
        return self.answer(self.request(method, params))["error"]["code"]

    def note(self, method, accept=lambda params: True):
        def find():
            return [n["params"] for n in self.notes if n["method"] == method and accept(n["params"])]
        return self.until(find, method)[-1]

    def open(self, uri, text, language="c", version=1):
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri, version, *changes):
        params = {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)}
        self.notify("textDocument/didChange", params)

    def text(self, uri):
        return self.ask("r1ls/documentText", {"textDocument": {"uri": uri}})["text"]

    def inline(self, uri, line, character, trigger=2, **context):
        return self.request("textDocument/inlineCompletion", {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": trigger, **context},
        })

    def items(self, id):
        result = self.answer(id)["result"]
        return result["items"] if result else []

    def close(self):
        """shutdown and exit; checks the exit code and that no id was answered twice."""
        self.ask("shutdown", None)
        self.notify("exit", None)
        if self.program:
            assert self.program.wait(TIMEOUT_S) == 0, self.program.returncode
        twice = {id: n for id, n in self.counts.items() if n != 1 and id is not None}
        assert not twice, twice


def at(line, start, end=None, end_line=None):
    last = start if end is None else end
    return {"start": {"line": line, "character": start},
            "end": {"line": line if end_line is None else end_line, "character": last}}


def run_tests(scope):
    failed = 0
    for name, test in list(scope.items()):
        if not name.startswith("test_") or not callable(test):
            continue
        start = time.monotonic()
        try:
            test()
            print("ok   %s (%.2f s)" % (name, time.monotonic() - start), flush=True)
        except Exception:
            failed += 1
            import traceback
            traceback.print_exc()
            print("FAIL %s" % name, flush=True)
    if failed:
        with open(os.path.join(FOLDER, "log"), errors="replace") as log:
            sys.stderr.write("server log, last lines:\n" + "".join(log.readlines()[-40:]))
    sys.exit(1 if failed else 0)
