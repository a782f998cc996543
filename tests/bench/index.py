#!/usr/bin/env python3
"""The index on a large C project, measured through the real server: cold, warm, one edit, memory.

usage: index.py R1LS [--project FOLDER] [--out FILE]

Without --project the sources of Debian's linux-source package are fetched (apt-get download) and unpacked
into build/bench, once. Wall-clock times belong to the machine and its other users, so CPU seconds of the
server stand beside them. Nothing but the server runs on the files.
"""
import argparse
import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = "linux-source-6.1"
TICKS = os.sysconf("SC_CLK_TCK")


def fetch(folder):
    tree = folder / PACKAGE
    if not (tree / "MAINTAINERS").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        deb = glob.glob(str(folder / (PACKAGE + "_*.deb")))[0]
        subprocess.run("dpkg-deb --fsys-tarfile '%s' | tar xf - --strip-components=3 ./usr/src && tar xf %s.tar.xz"
                       % (deb, PACKAGE), shell=True, cwd=folder, check=True)
    # Debian's own .gitignore leaves out all of the kernel, because their repository does not hold it.
    ignore = tree / ".gitignore"
    ignore.write_text("".join(l for l in ignore.read_text().splitlines(True) if l.strip() not in ("/*", "!/debian/")))
    return tree


class Server:
    def __init__(self, r1ls, root, cache):
        env = dict(os.environ, XDG_CACHE_HOME=str(cache), XDG_STATE_HOME=str(cache))
        self.program = subprocess.Popen([r1ls, "--standalone"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        self.started, self.last_id, self.answers = time.monotonic(), 0, {}
        self.arrived = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        folders = [{"uri": pathlib.Path(root).resolve().as_uri(), "name": "project"}]
        options = {"definition": True, "references": True, "workspaceSymbol": True}
        self.ask("initialize", {"processId": None, "rootUri": folders[0]["uri"], "workspaceFolders": folders,
                                "capabilities": {}, "initializationOptions": options})
        self.notify("initialized", {})

    def read(self):
        out = self.program.stdout
        while line := out.readline():
            length = 0
            while line != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = out.readline()
            message = json.loads(out.read(length))
            if "method" not in message:
                with self.arrived:
                    self.answers[message["id"]] = message
                    self.arrived.notify_all()

    def send(self, value):
        body = json.dumps(dict(value, jsonrpc="2.0")).encode()
        self.program.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.program.stdin.flush()

    def notify(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params, timeout=600):
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params})
        with self.arrived:
            if not self.arrived.wait_for(lambda: self.last_id in self.answers, timeout):
                sys.exit("%s: no answer in %d s" % (method, timeout))
            answer = self.answers.pop(self.last_id)
        if "error" in answer:
            sys.exit("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def index(self):
        return next(i for i in self.ask("r1ls/status", {})["index"] if i["path"])

    def wait(self, until, limit=3600, pause=0.05):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            status = self.index()
            if until(status):
                return status, time.monotonic() - self.started
            time.sleep(pause)
        sys.exit("the index is not ready in %d s: %s" % (limit, status))

    def cpu(self):
        fields = open("/proc/%d/stat" % self.program.pid).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        values = dict(l.split(":") for l in open("/proc/%d/status" % self.program.pid) if l.startswith("Vm") or l.startswith("Rss"))
        return {k: int(values[k].split()[0]) / 1024 for k in ("VmHWM", "VmRSS", "RssAnon")}

    def close(self):
        self.ask("shutdown", None)
        self.notify("exit", None)
        self.program.wait(60)


def timed(call, n=5):
    times = []
    for _ in range(n):
        start = time.monotonic()
        result = call()
        times.append(1000 * (time.monotonic() - start))
    return sorted(times)[n // 2], result


def measure(r1ls, project, cache, rows):
    row = lambda what, *values: (rows.append((what,) + values), print("| %s | %s |" % (what, " | ".join(map(str, values))), flush=True))
    is_in = lambda s: s["state"] in ("ranking", "ready") and s["pending"] == 0
    server = Server(r1ls, project, cache)
    answer, _ = timed(lambda: server.ask("r1ls/status", {}), 20)
    row("cold: answer of r1ls/status while scanning, median ms", "%.1f" % answer)
    status, wall = server.wait(is_in)
    row("cold: all files are in, s wall / s CPU", "%.1f / %.1f" % (wall, server.cpu()))
    row("files, symbols, names", "%d, %d, %d" % (status["files"], status["symbols"], status["names"]))
    status, wall = server.wait(lambda s: s["state"] == "ready")
    row("cold: ranked, s wall / s CPU", "%.1f / %.1f" % (wall, server.cpu()))
    memory = server.memory()
    row("memory after it, MB: peak / now / of these not of files; of the table", "%.0f / %.0f / %.0f; %.0f" % (
        memory["VmHWM"], memory["VmRSS"], memory["RssAnon"], status["memoryBytes"] / 1e6))
    server.close()

    server = Server(r1ls, project, cache)
    status, wall = server.wait(lambda s: s["loaded"] > 0, pause=0.002)
    row("warm: the stored index answers, s wall / s CPU", "%.2f / %.2f" % (wall, server.cpu()))
    status, wall = server.wait(lambda s: s["state"] == "ready" and s["pending"] == 0, pause=0.01)
    row("warm: every file is looked at, s wall / s CPU; parsed", "%.2f / %.2f; %d" % (wall, server.cpu(), status["parsed"]))
    memory = server.memory()
    row("warm: memory, MB: peak / now / not of files", "%.0f / %.0f / %.0f" % (memory["VmHWM"], memory["VmRSS"], memory["RssAnon"]))

    path = pathlib.Path(project).resolve() / "mm/slab_common.c"
    if path.exists():
        edits(server, path, row)
    server.close()


def edits(server, path, row):
    text = path.read_text()
    seen, before = [], server.cpu()
    for i in range(20):
        parsed = server.index()["parsed"]
        path.write_text(text + "\nint r1ls_bench_%d(void) { return %d; }\n" % (i, i))
        status, _ = server.wait(lambda s: s["parsed"] > parsed and s["pending"] == 0, pause=0.002)
        seen.append(status["lastChangeMs"])
    path.write_text(text)
    row("one edit of %s on the disk: CPU ms of parse and update, median; of the whole server" % path.name,
        "%.1f; %.0f" % (sorted(seen)[len(seen) // 2], 1000 * (server.cpu() - before) / 20))
    uri = path.as_uri()
    server.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "c", "version": 1, "text": text}})
    line = next(i for i, l in enumerate(text.splitlines()) if "kmem_cache_create_usercopy(" in l)
    at = {"textDocument": {"uri": uri}, "position": {"line": line, "character": text.splitlines()[line].index("kmem_cache_create") + 2}}
    for what, call in [
            ("definition", lambda: server.ask("textDocument/definition", at)),
            ("completion", lambda: server.ask("textDocument/completion", at)),
            ("references", lambda: server.ask("textDocument/references", dict(at, context={"includeDeclaration": True}))),
            ("workspace/symbol, fuzzy", lambda: server.ask("workspace/symbol", {"query": "kmemcach"}))]:
        ms, result = timed(call)
        row("%s, median ms; results" % what, "%.1f; %d" % (ms, len(result["items"] if isinstance(result, dict) else result or [])))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("r1ls")
    parser.add_argument("--project", help="instead of the kernel")
    args = parser.parse_args()
    folder = ROOT / "build/bench"
    project = args.project or fetch(folder)
    cache = folder / "index-cache"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    print("%s, %d cores, load %s\n\n| what | value |\n|---|---|" % (project, os.cpu_count(), os.getloadavg()[0]))
    rows = []
    measure(args.r1ls, project, cache, rows)
    shutil.rmtree(cache, ignore_errors=True)


main()
