"""A small LSP client over pipes, standard library only: for tests of the real server."""
import json
import queue
import subprocess
import threading
import time


class Client:
    """Starts the server; every message from it is kept with the time it came."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.next_id = 0
        self.answers = {}  # id -> list of (time, message): more than one is an error of the server
        self.notifications = []
        self.arrived = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        out = self.process.stdout
        while True:
            length = None
            while line := out.readline().strip():
                name, value = line.split(b":", 1)
                if name.lower() == b"content-length":
                    length = int(value)
            if length is None:
                self.arrived.put(None)
                return
            body = out.read(length)
            came = time.monotonic()  # reading a long answer is the client's time
            message = json.loads(body)
            if "id" in message and "method" not in message:
                self.answers.setdefault(message["id"], []).append((came, message))
            elif "id" in message:  # a request of the server: accept whatever it is
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            else:
                self.notifications.append(message)
            self.arrived.put(message)

    def send_bytes(self, body):
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def send(self, message):
        self.send_bytes(json.dumps(message).encode())

    def request(self, method, params):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        return self.next_id

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def wait(self, request_id, seconds=120):
        end = time.monotonic() + seconds
        while request_id not in self.answers:
            if time.monotonic() > end:
                raise TimeoutError("no answer to request %s within %s s" % (request_id, seconds))
            try:
                if self.arrived.get(timeout=0.5) is None and request_id not in self.answers:
                    raise EOFError("the server closed, exit code %s" % self.process.wait(5))
            except queue.Empty:
                pass
        return self.answers[request_id][0][1]

    def call(self, method, params, seconds=120):
        return self.wait(self.request(method, params), seconds)

    def start(self, root_uri=None, options=None, encodings=("utf-8", "utf-16")):
        reply = self.call("initialize", {
            "processId": None, "rootUri": root_uri, "initializationOptions": options or {},
            "capabilities": {"general": {"positionEncodings": list(encodings)},
                             "textDocument": {"codeAction": {
                                 "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "refactor"]}},
                                 "dataSupport": True, "resolveSupport": {"properties": ["edit"]}}},
                             "workspace": {"workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}}}})
        self.notify("initialized", {})
        return reply["result"]

    def stop(self):
        self.call("shutdown", None)
        self.notify("exit", None)
        return self.process.wait(10)
