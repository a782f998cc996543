"""Lifecycle, error codes, exit codes, malformed messages, the process watch and the socket."""

import os
import signal
import subprocess
import time

from driver import Client, FOLDER, FULL_CAPS, frame, run_tests, start_program, write_file

URI = "file:///tmp/a.c"


def test_requests_before_initialize_are_refused():
    client = Client(initialize=False)
    assert client.fail("textDocument/completion", {}) == -32002
    assert client.fail("no/such", {}) == -32002
    client.notify("textDocument/didOpen", {})
    client.ask("initialize", {"processId": None, "capabilities": {}})
    assert client.fail("initialize", {"capabilities": {}}) == -32600
    client.close()


def test_requests_after_shutdown_are_refused():
    client = Client()
    client.ask("shutdown", None)
    assert client.fail("textDocument/completion", {}) == -32600
    client.notify("exit", None)
    assert client.program.wait(10) == 0


def test_exit_without_shutdown_is_1():
    client = Client()
    client.notify("exit", None)
    assert client.program.wait(10) == 1


def test_end_of_input_is_1():
    client = Client()
    client.program.stdin.close()
    assert client.program.wait(10) == 1


def test_unknown_methods():
    client = Client()
    assert client.fail("no/such", {}) == -32601
    assert client.fail("$/noSuch", {}) == -32601
    client.notify("$/noSuch", {})
    client.notify("no/such", {})
    assert client.fail("textDocument/completion", {"textDocument": {"uri": URI}}) == -32602
    assert client.fail("textDocument/completion", {}) == -32602
    client.close()


def test_encoding_is_negotiated():
    for offered, wanted in ((["utf-8", "utf-16"], "utf-8"), (["utf-16"], "utf-16"), (None, "utf-16"),
                            (["utf-32", "utf-16"], "utf-16")):
        caps = {"general": {"positionEncodings": offered}} if offered else {}
        client = Client(caps=caps)
        assert client.initialized["capabilities"]["positionEncoding"] == wanted
        client.close()
    client = Client(options={"positionEncoding": "utf-16"})
    assert client.initialized["capabilities"]["positionEncoding"] == "utf-16"
    client.close()
    client = Client(options={"positionEncoding": "utf-32"})
    assert client.initialized["capabilities"]["positionEncoding"] == "utf-32"
    client.close()


def test_unknown_settings_are_warned_of():
    client = Client(options={"noSuchOption": 1, "maxTokens": "many"})
    text = client.note("window/logMessage")["message"]
    assert "noSuchOption" in text and "maxTokens" in text, text
    client.close()


def test_settings_are_pulled():
    caps = dict(FULL_CAPS, workspace={"configuration": True})
    client = Client(caps=caps, initialize=False)
    client.replies["workspace/configuration"] = lambda params: [{"completion": False}]
    client.ask("initialize", {"processId": None, "capabilities": caps})
    client.notify("initialized", {})
    client.until(lambda: client.calls)
    assert client.calls[0]["params"]["items"] == [{"section": "r1ls"}]
    client.open(URI, "int foo;\n")
    position = {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 0}}
    client.until(lambda: client.calls)
    time.sleep(0.1)
    assert client.ask("textDocument/completion", position) is None
    client.close()


def test_malformed_messages_are_answered_and_survived():
    client = Client()
    def error(data):
        client.answers.pop(None, None)
        client.send_bytes(data)
        code = client.until(lambda: client.answers.get(None))["error"]["code"]
        client.notify("$/next", {})  # one error is told for a run of bad bytes; this ends it
        return code
    def body(text):
        return b"Content-Length: %d\r\n\r\n%s" % (len(text), text)
    assert error(body(b"{")) == -32700
    assert error(body(b"")) == -32700
    assert error(body(b"null")) == -32600
    assert error(body(b"[]")) == -32600
    assert error(body(b'{"jsonrpc":"2.0","id":1.5,"method":"x"}')) == -32600
    assert error(body(b'{"id":{},"method":"x"}')) == -32600
    assert error(body(b'{"jsonrpc":"2.0","method":7}')) == -32600
    assert error(body(b"[" * 100000)) == -32700
    assert error(body(b"\xff\xfe\x00")) == -32700
    assert error(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == -32700
    assert error(b"Content-Length: 2147483648\r\n\r\n") == -32700
    assert error(b"Content-Length: 99999999999999999999999\r\n\r\n") == -32700
    assert error(b"Content-Length: -5\r\n\r\n") == -32700
    assert client.fail("no/such", {}) == -32601
    client.send({"jsonrpc": "2.0", "id": "text id", "method": "r1ls/status", "params": {}})
    assert client.answer("text id")["result"]["engine"]
    client.send({"jsonrpc": "2.0", "id": 77, "result": None})
    for params in ([], {}, {"textDocument": 5}, {"textDocument": {"uri": URI}, "contentChanges": 3},
                   {"textDocument": {"uri": URI, "text": 5}}):
        for method in ("didOpen", "didChange", "didSave", "didClose"):
            client.notify("textDocument/" + method, params)
    client.close()


def test_status_tells_the_engine():
    client = Client("open_ms 1\n")
    client.until(lambda: client.ask("r1ls/status", {})["engine"] == "ready")
    status = client.ask("r1ls/status", {})
    assert status["model"]["name"] == "scripted" and status["residentBytes"] > 0
    client.close()


def test_server_ends_with_its_client():
    watched = subprocess.Popen(["sleep", "60"])
    client = Client(processId=watched.pid)
    time.sleep(1.2)
    assert client.program.poll() is None
    watched.kill()
    watched.wait()
    assert client.program.wait(10) == 1


def test_input_from_a_file():
    path = write_file("transcript", "")
    with open(path, "wb") as file:
        file.write(frame({"jsonrpc": "2.0", "id": 1, "method": "initialize",
                          "params": {"processId": None, "capabilities": {}}}))
        file.write(frame({"jsonrpc": "2.0", "id": 2, "method": "shutdown"}))
        file.write(frame({"jsonrpc": "2.0", "method": "exit"}))
    out = os.path.join(FOLDER, "answers")
    with open(path, "rb") as stdin, open(out, "wb") as stdout:
        program = start_program("", stdin=stdin, stdout=stdout)
        assert program.wait(10) == 0
    answers = open(out, "rb").read()
    assert b'"id":1' in answers and b'"id":2' in answers


def test_socket_serves_two_clients():
    path = os.path.join(FOLDER, "socket")
    program = start_program("answer x = => 1;\n", "--socket", path, stdin=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.01)
    assert os.stat(path).st_mode & 0o777 == 0o600
    one, two = Client(socket_path=path), Client(socket_path=path, caps={})
    one.open(URI, "int x =\n")
    two.open(URI, "other\n")
    assert one.text(URI) == "int x =\n" and two.text(URI) == "other\n"
    one.close()
    assert two.text(URI) == "other\n"
    two.socket.shutdown(2)
    three = Client(socket_path=path)
    three.open(URI, "third\n")
    assert three.text(URI) == "third\n"
    program.send_signal(signal.SIGTERM)
    assert program.wait(10) == 0
    assert not os.path.exists(path)


run_tests(globals())
