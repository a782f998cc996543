#!/usr/bin/env python3
"""One server for all windows: `test_resident.py R1LS`. Each test has a folder of sockets and a home of its own."""
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from lsp_client import Client

R1LS = os.path.realpath(sys.argv.pop(1))


def is_sanitized():
    with open(R1LS, "rb") as program:
        image = program.read()
    return b"__asan_init" in image or b"__tsan_init" in image


def wait_until(what, test, seconds=30):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Resident(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="r1ls-")
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.folder.name, HOME=self.folder.name)
        self.env.pop("XDG_CACHE_HOME", None)
        self.pids = set()

    def tearDown(self):
        for pid in self.pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
                wait_until("the server is killed", lambda: not is_alive(pid))
        self.folder.cleanup()

    def open(self, *arguments):
        """A window: the client and the process that its server says it is."""
        client = Client([R1LS, *arguments], env=self.env)
        client.start()
        status = client.call("r1ls/status", {})["result"]
        self.pids.add(status["pid"])
        return client, status

    def close(self, client):
        client.call("shutdown", None)
        client.notify("exit", None)
        client.process.stdin.close()
        self.assertEqual(client.process.wait(20), 0)
        client.process.stdout.close()

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        wait_until("the server is gone", lambda: not is_alive(pid))

    def sockets(self):
        folder = os.path.join(self.folder.name, "r1ls")
        return [os.path.join(folder, f) for f in os.listdir(folder) if "." not in f]

    def test_two_windows_share_a_server(self):
        a, first = self.open()
        b, second = self.open("--stdio")
        self.assertEqual(first["pid"], second["pid"])
        self.assertNotIn(first["pid"], (a.process.pid, b.process.pid))
        self.assertEqual(second["clients"], 2)
        (path,) = self.sockets()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        self.close(a)
        # The other goes on, with documents of its own.
        uri = "file:///tmp/only-b.c"
        b.notify("textDocument/didOpen",
                 {"textDocument": {"uri": uri, "languageId": "c", "version": 1, "text": "int x;\n"}})
        text = b.call("r1ls/documentText", {"textDocument": {"uri": uri}})
        self.assertEqual(text["result"]["text"], "int x;\n")
        self.assertEqual(b.call("r1ls/status", {})["result"]["clients"], 1)
        self.close(b)

    def test_other_options_have_another_server(self):
        a, first = self.open()
        b, second = self.open("--log", "info")
        self.assertNotEqual(first["pid"], second["pid"])
        self.close(a)
        self.close(b)

    def test_standalone_keeps_to_itself(self):
        a, status = self.open("--standalone")
        self.assertEqual(status["pid"], a.process.pid)
        self.assertFalse(os.path.exists(os.path.join(self.folder.name, "r1ls")))
        self.close(a)

    def test_many_at_once_start_one(self):
        found, threads = [], []
        for _ in range(6):
            threads.append(threading.Thread(target=lambda: found.append(self.open())))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(found), 6)
        self.assertEqual(len({status["pid"] for _, status in found}), 1)
        for client, _ in found:
            self.close(client)

    def test_a_crash_ends_the_windows_and_the_next_starts_anew(self):
        a, first = self.open()
        b, _ = self.open()
        self.kill(first["pid"])
        for client in (a, b):
            self.assertEqual(client.process.wait(20), 1)
            client.process.stdin.close()
            client.process.stdout.close()
        c, second = self.open()
        self.assertNotEqual(first["pid"], second["pid"])
        self.close(c)

    def test_a_killed_window_leaves_the_server(self):
        a, first = self.open()
        b, _ = self.open()
        a.process.kill()
        a.process.wait()
        a.process.stdin.close()
        a.process.stdout.close()
        wait_until("the window is forgotten", lambda: b.call("r1ls/status", {})["result"]["clients"] == 1)
        self.assertTrue(is_alive(first["pid"]))
        self.close(b)

    def test_much_is_handed_on_both_ways(self):
        a, _ = self.open()
        text = "int x; // " + "ä" * (1 << 20) + "\n"
        uri = "file:///tmp/large.c"
        a.notify("textDocument/didOpen",
                 {"textDocument": {"uri": uri, "languageId": "c", "version": 1, "text": text}})
        for _ in range(3):
            answer = a.call("r1ls/documentText", {"textDocument": {"uri": uri}})
            self.assertEqual(answer["result"]["text"], text)
        self.close(a)

    def test_a_folder_of_somebody_else_is_not_used(self):
        os.mkdir(os.path.join(self.folder.name, "r1ls"), 0o777)
        os.chmod(os.path.join(self.folder.name, "r1ls"), 0o777)
        a, status = self.open()
        self.assertEqual(status["pid"], a.process.pid, "it should have kept to itself")
        self.close(a)

    def memory_falls_and_comes_back(self, *arguments):
        a, _ = self.open(*arguments, "--set", "idleUnloadMinutes=0.02", "--set", "gate=0", "--set", "computeAhead=off")

        def status():
            return a.call("r1ls/status", {})["result"]

        def complete():
            uri = "file:///tmp/one.c"
            text = "#include <stdio.h>\n\nint add(int a, int b)\n{\n    return \n}\n"
            a.notify("textDocument/didOpen",
                     {"textDocument": {"uri": uri, "languageId": "c", "version": 1, "text": text}})
            answer = a.call("textDocument/inlineCompletion", {
                "textDocument": {"uri": uri}, "position": {"line": 4, "character": 11}, "context": {"triggerKind": 1}})
            a.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            return [item["insertText"] for item in answer["result"]["items"]]

        first = complete()
        self.assertTrue(first)
        loaded = status()
        self.assertTrue(loaded["model"]["loaded"])
        wait_until("the model leaves memory", lambda: not status()["model"]["loaded"])
        if is_sanitized():
            print("memory not judged: a sanitizer keeps what was freed")
        else:
            wait_until("the caches leave memory", lambda: status()["memory"]["anonymousBytes"] <
                       loaded["memory"]["anonymousBytes"] - 2e6)
            wait_until("the weights leave memory", lambda: status()["residentBytes"] < loaded["residentBytes"] / 2)
        self.assertEqual(status()["engine"], "ready")
        self.assertEqual(complete(), first)
        self.assertTrue(status()["model"]["loaded"])
        self.close(a)

    def test_an_idle_model_leaves_memory(self):
        self.memory_falls_and_comes_back()

    def test_an_idle_model_leaves_memory_standalone(self):
        self.memory_falls_and_comes_back("--standalone")

    def test_a_model_above_the_limit_is_refused(self):
        a, _ = self.open("--set", "memoryMegabytes=20")
        wait_until("the refusal", lambda: a.call("r1ls/status", {})["result"]["engine"] == "failed")
        error = a.call("r1ls/status", {})["result"]["error"]
        self.assertRegex(error, r"needs \d+ MB beside its mapped file .* its limit is \d+ MB")
        self.close(a)

    def test_another_model_is_opened_for_all(self):
        a, first = self.open()
        wait_until("the engine", lambda: a.call("r1ls/status", {})["result"]["engine"] == "ready")
        b = Client([R1LS], env=self.env)
        b.start(options={"context": 1024})
        wait_until("the engine", lambda: b.call("r1ls/status", {})["result"]["engine"] == "ready")
        self.assertEqual(b.call("r1ls/status", {})["result"]["pid"], first["pid"])
        logs = [m["params"]["message"] for m in a.notifications if m["method"] == "window/logMessage"]
        self.assertTrue(any("opened anew" in line for line in logs), logs)
        self.assertEqual(a.call("r1ls/status", {})["result"]["engine"], "ready")
        self.close(a)
        self.close(b)


unittest.main(verbosity=1)
