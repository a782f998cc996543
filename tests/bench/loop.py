#!/usr/bin/env python3
"""How many tasks the closed loop solves: `loop.py R1LS [--model M]... [--mode greedy,best,loop] [--only NAME]`.

Each task is a little project with a test suite, in C or in Python: a planted bug that its tests show, or a function to
write. r1ls works on it by its own command line, in one of three modes: one greedy sample of the model, best of N
without feedback, the whole loop. Solved means that tests which neither the loop nor its model ever saw pass; a false
verdict is a result that r1ls called verified and that fails them; what it offers with a doubt is no verdict, but counts
as solved if it is right.

--jobs N works on N tasks at once, each with state, cache and runtime folders of its own. --out FILE gets a JSON line as
soon as a task is done: started again with the same file, a run goes on where it was ended, and `loop.py --table
FILE...` makes the tables of what is there. Tasks come in a shuffled order, so that a part of them is a sample of all.
--check tests the tasks themselves."""
import argparse
import concurrent.futures
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import loop_tasks_held
from loop_tasks_c import TASKS as C_TASKS
from loop_tasks_python import TASKS as PYTHON_TASKS

C_TEST = r'''#include <stdio.h>
#include <string.h>

#include "lib.c"

static int n_failed;
#define EQ(call, wanted) check_number(__FILE__, __LINE__, #call, (long)(call), (long)(wanted))
#define STREQ(call, wanted) check_text(__FILE__, __LINE__, #call, (call), (wanted))

__attribute__((unused)) static void check_number(const char *file, int line, const char *call, long got, long wanted)
{
    if (got == wanted) return;
    printf("%s:%d: FAILED: %s is %ld, wanted %ld\n", file, line, call, got, wanted);
    n_failed++;
}

__attribute__((unused)) static void check_text(const char *file, int line, const char *call, const char *got,
                                               const char *wanted)
{
    if (strcmp(got, wanted) == 0) return;
    printf("%s:%d: FAILED: %s is \"%s\", wanted \"%s\"\n", file, line, call, got, wanted);
    n_failed++;
}

int main(void)
{
@TESTS@
    return n_failed != 0;
}
'''
MAKEFILE = "test:\n\t@$(CC) -Wall -g -o suite test.c && ./suite\n"
PYTHON_TEST = '''import unittest

from lib import *


class Test(unittest.TestCase):
    def test_@NAME@(self):
@TESTS@


if __name__ == "__main__":
    unittest.main()
'''
COMMANDS = {"c": "make test", "python": "python3 -B -m unittest -q test"}
SOURCE = {"c": "lib.c", "python": "lib.py"}
# What each mode leaves out of the loop's defaults.
MODES = {
    "greedy": ["--set", "rounds=1", "--set", "candidates=1", "--set", "proposers=sample"],
    "best": ["--set", "rounds=1", "--set", "proposers=sample"],
    "loop": [],
}


def tasks(held=False):
    c, python = (loop_tasks_held.C_TASKS, loop_tasks_held.PYTHON_TASKS) if held else (C_TASKS, PYTHON_TASKS)
    for language, all_tasks in (("c", c), ("python", python)):
        for task in all_tasks:
            yield dict(task, language=language, source=task["source"].lstrip("\n"))


def find_function(task, source):
    """The line (from 0) on which the task's function starts."""
    pattern = r"^\s*def %s\(" if task["language"] == "python" else r"^[A-Za-z].*\b%s\(.*\)$"
    for number, line in enumerate(source.splitlines()):
        if re.search(pattern % re.escape(task["function"]), line):
            return number
    raise SystemExit("%s: no function %s" % (task["name"], task["function"]))


def empty_body(task):
    """The source whose function has no body yet: its comment or docstring stays."""
    lines = task["source"].splitlines()
    start = find_function(task, task["source"])
    if task["language"] == "c":
        end = next(i for i in range(start, len(lines)) if lines[i] == "}")
        return "\n".join(lines[:start + 1] + ["{", "}"] + lines[end + 1:]) + "\n"
    quotes = [i for i in range(start, len(lines)) if '"""' in lines[i]]
    last = quotes[0] if lines[quotes[0]].count('"""') == 2 else quotes[1]
    return "\n".join(lines[:last + 1] + ["    pass"]) + "\n"


def broken(task):
    if task["kind"] == "write":
        return empty_body(task)
    old, new = task["bug"]
    if task["source"].count(old) != 1:
        raise SystemExit("%s: its bug stands %d times in it" % (task["name"], task["source"].count(old)))
    return task["source"].replace(old, new)


def write_tests(task, folder, tests):
    if task["language"] == "c":
        text = C_TEST.replace("@TESTS@", tests.strip("\n"))
    else:
        body = "\n".join("        " + line for line in tests.strip("\n").splitlines())
        text = PYTHON_TEST.replace("@NAME@", task["function"]).replace("@TESTS@", body)
    with open(os.path.join(folder, "test.c" if task["language"] == "c" else "test.py"), "w") as f:
        f.write(text)


def make_project(task, folder, source):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, SOURCE[task["language"]]), "w") as f:
        f.write(source)
    if task["language"] == "c":
        with open(os.path.join(folder, "Makefile"), "w") as f:
            f.write(MAKEFILE)
    write_tests(task, folder, task["visible"])
    os.mkdir(os.path.join(folder, ".git"))  # the project's root


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


def run_tests(task, folder, tests):
    """Whether they pass, and what they print."""
    write_tests(task, folder, tests)
    process = subprocess.Popen(COMMANDS[task["language"]].split(), cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                               preexec_fn=limit_memory)
    try:
        output = process.communicate(timeout=60)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False, "no end within 60 s"
    return process.returncode == 0, output


def passes(task, folder, tests):
    return run_tests(task, folder, tests)[0]


def check():
    """Sources pass all tests as they stand; broken, they fail those that the loop sees."""
    bad = n = 0
    for task in [*tasks(), *tasks(held=True)]:
        n += 1
        with tempfile.TemporaryDirectory() as top:
            for state, source in (("right", task["source"]), ("broken", broken(task))):
                folder = os.path.join(top, state)
                make_project(task, folder, source)
                seen = passes(task, folder, task["visible"])
                hidden = passes(task, folder, task["hidden"])
                if seen if state == "broken" else not (seen and hidden):
                    print("%s: %s, visible %s, hidden %s" % (task["name"], state, seen, hidden))
                    bad += 1
    print("%d tasks, %d of them wrong" % (n, bad))
    return bad != 0


def environment(top):
    """Of a run that shares nothing with another, nor with the user's server."""
    env = dict(os.environ)
    for name in ("STATE", "CACHE", "CONFIG", "DATA"):
        env["XDG_%s_HOME" % name] = os.path.join(top, name.lower())
    env["XDG_RUNTIME_DIR"] = os.path.join(top, "runtime")
    os.mkdir(env["XDG_RUNTIME_DIR"], 0o700)
    return env


def short(model):
    name = os.path.basename(model)
    return name[:-len(".gguf")] if name.endswith(".gguf") else name


def find_model(name):
    """A file, or a name as r1ls knows it: looked up here, because each run has a cache folder of its own."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cached = os.path.join(cache, "r1ls", "models", name + ".gguf")
    if name == "embedded":
        return name
    for path in (name, cached):
        if os.path.isfile(path):
            return os.path.abspath(path)
    raise SystemExit("model %s: neither a file nor %s" % (name, cached))


RUNNING = set()


def run_r1ls(args, command, env):
    """None in place of the output if it does not end by itself."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
                               stdin=subprocess.DEVNULL)
    RUNNING.add(process)
    try:
        out, said = process.communicate(timeout=2 * args.seconds + 120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, "killed after %d s" % (2 * args.seconds + 120)
    finally:
        RUNNING.discard(process)
    return (out if process.returncode in (0, 1) else None), said


def judge(task, folder, result, row):
    candidates = result["candidates"]
    row.update(found=result["found"], verified=result["verified"], tokens=result["generated_tokens"],
               candidates=len(candidates), rounds=result["rounds"], summary=result["summary"])
    if not result["found"]:
        return
    row.update(by=candidates[result["chosen"]]["proposer"], level=result["level"], doubt=result.get("doubt", ""),
               insert=result["insertText"])
    row["solved"], said = run_tests(task, folder, task["hidden"])
    if not row["solved"]:
        row["hidden"] = said.strip()[-600:]
    # What it was shown has to pass as well.
    row["solved"] = row["solved"] and passes(task, folder, task["visible"])


def run_task(args, job):
    model, adapter, mode, task = job
    top = tempfile.mkdtemp(prefix="r1ls-bench-")
    row = dict(task=task["name"], kind=task["kind"], language=task["language"], model=short(model), adapter=adapter,
               mode=mode, seed=args.seed, found=False, verified=False, solved=False, tokens=0, candidates=0, summary="")
    try:
        folder, source = os.path.join(top, "project"), broken(task)
        make_project(task, folder, source)
        place = "%s:%d" % (os.path.join(folder, SOURCE[task["language"]]), find_function(task, source) + 1)
        command = [args.r1ls, "debug" if task["kind"] == "fix" else "generate", place, "--trust", "--json", "--apply",
                   "--model", model, "--cmd", COMMANDS[task["language"]], "--seed", str(args.seed),
                   "--set", "adapter=" + adapter, "--set", "sandbox=" + args.sandbox,
                   "--set", "generateBudgetMs=%d" % (1000 * args.seconds)] + MODES[mode] + args.option
        if args.threads:
            command += ["--threads", str(args.threads)]
        start = time.monotonic()
        out, said = run_r1ls(args, command, environment(top))
        row["seconds"] = round(time.monotonic() - start, 1)
        if out is None:
            row["error"] = said.strip()[-600:]
            return row
        if args.keep:
            name = "%s-%s-%s-%s.json" % (short(model), os.path.basename(adapter), mode, task["name"])
            with open(os.path.join(args.keep, name), "w") as f:
                f.write(out)
        judge(task, folder, json.loads(out), row)
        return row
    finally:
        shutil.rmtree(top, ignore_errors=True)


# --- tables ----------------------------------------------------------------------------------------------------------

def median(values):
    values = sorted(values)
    return values[len(values) // 2] if values else 0


def share(rows):
    return "%d of %d" % (sum(r["solved"] for r in rows), len(rows))


def per_task(rows, key):
    values = [r[key] for r in rows]
    return "%.0f, %.0f" % (median(values), sum(values) / max(len(values), 1))


def key_of(row):
    return row["model"], os.path.basename(row["adapter"]), row["mode"]


def table(rows):
    keys = sorted({key_of(r) for r in rows}, key=lambda k: (k[:2], list(MODES).index(k[2])))
    print("\n| model | adapter | mode | solved | to fix | to write | verified | of these false | doubted "
          "| of these right |\n|---|---|---|---|---|---|---|---|---|---|")
    for key in keys:
        mine = [r for r in rows if key_of(r) == key]
        verified = [r for r in mine if r["verified"]]
        doubted = [r for r in mine if r["found"] and not r["verified"]]
        print("| %s | %s | %s | %s | %s | %s | %d | %d | %d | %d |" % (
            *key, share(mine), share([r for r in mine if r["kind"] == "fix"]),
            share([r for r in mine if r["kind"] == "write"]), len(verified), sum(not r["solved"] for r in verified),
            len(doubted), sum(r["solved"] for r in doubted)))
    print("\nMedian and mean of a task:\n\n| model | adapter | mode | s to fix | s to write | tokens to fix "
          "| tokens to write |\n|---|---|---|---|---|---|---|")
    for key in keys:
        of = {kind: [r for r in rows if key_of(r) == key and r["kind"] == kind] for kind in ("fix", "write")}
        print("| %s | %s | %s | %s |" % (*key, " | ".join(
            per_task(of[kind], what) for what in ("seconds", "tokens") for kind in ("fix", "write"))))
    print()
    for key in keys:
        tell_rest(rows, key)
    for row in rows:
        if row.get("error"):
            print("ERROR %s %s: %s" % (" ".join(key_of(row)), row["task"], row["error"].split("\n")[-1]))


def tell_rest(rows, key):
    """Of the failures that one greedy sample leaves, those that are still there."""
    def by_task(mode):
        return {(r["task"], r.get("seed", 0)): r for r in rows if key_of(r) == (*key[:2], mode)}
    greedy, mine = by_task("greedy"), by_task(key[2])
    both = greedy.keys() & mine.keys()
    n = sum(not greedy[k]["solved"] for k in both)
    if key[2] == "greedy" or not n:
        return
    left = sum(not mine[k]["solved"] for k in both)
    print("%s %s: of %d tasks greedy fails %d and %s %d (%.0f%%)" % (
        *key[:2], len(both), n, key[2], left, 100 * left / n))


def word(row):
    if row.get("error"):
        return "ERROR"
    if not row["found"]:
        return "-"
    if row["verified"]:
        return "solved" if row["solved"] else "FALSE"
    return "solved?" if row["solved"] else "doubted"


def read_rows(paths):
    rows = []
    for path in paths:
        with open(path) as f:
            # A run that was killed may have left half a line.
            rows += [json.loads(line) for line in f if line.endswith("}\n")]
    return rows


# --- the run ---------------------------------------------------------------------------------------------------------

def list_jobs(args, done):
    chosen = [t for t in tasks(args.held) if not args.only or re.search(args.only, t["name"])]
    random.Random(0).shuffle(chosen)
    known = {(*key_of(r), r["task"], r.get("seed", 0)) for r in done if not r.get("error")}
    for task in chosen:
        for model in [find_model(m) for m in args.model or ["embedded"]]:
            for adapter in args.adapter or ["auto"]:
                if os.path.isfile(adapter):
                    adapter = os.path.abspath(adapter)
                for mode in ",".join(args.mode or ["greedy,best,loop"]).split(","):
                    if mode not in MODES:
                        raise SystemExit("mode %s, wanted of %s" % (mode, ", ".join(MODES)))
                    if (short(model), os.path.basename(adapter), mode, task["name"], args.seed) not in known:
                        yield model, adapter, mode, task


def run(args):
    done = read_rows([args.out]) if args.out and os.path.exists(args.out) else []
    jobs, rows, lock = list(list_jobs(args, done)), [], threading.Lock()
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)

    def work(job):
        row = run_task(args, job)
        with lock:
            rows.append(row)
            print("%3d/%d %-12s %-6s %-18s %-6s %-7s %-7s %5.1f s %5d tokens  %s" % (
                len(rows), len(jobs), row["model"], row["mode"], row["task"], row["kind"], word(row),
                row.get("by", ""), row["seconds"], row["tokens"],
                (row.get("error") or row["summary"]).split("\n")[0][:100]), flush=True)
            if args.out:
                with open(args.out, "a") as f:
                    f.write(json.dumps(row) + "\n")
    pool = concurrent.futures.ThreadPoolExecutor(args.jobs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for future in [pool.submit(work, job) for job in jobs]:
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(RUNNING):  # none, unless this run was stopped
            process.terminate()
        pool.shutdown()
        if done or rows:
            table(done + rows)
            print("\n%d tasks at once, %s threads each, at most %d s a task, %d cores, sandbox %s" % (
                args.jobs, args.threads or "all", args.seconds, os.cpu_count(), args.sandbox))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("r1ls", nargs="?")
    parser.add_argument("--model", action="append", help="a file, the name of a cached model, or embedded; several")
    parser.add_argument("--adapter", action="append", help="a LoRA file, auto (beside the model) or off; several")
    parser.add_argument("--mode", action="append", help="of greedy,best,loop")
    parser.add_argument("--held", action="store_true", help="the tasks that nothing is developed with")
    parser.add_argument("--only", help="regular expression over the names of tasks")
    parser.add_argument("--seconds", type=int, default=120, help="time limit of a task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="tasks at once")
    parser.add_argument("--threads", type=int, default=0, help="of the engine in each; 0: as r1ls chooses")
    parser.add_argument("--sandbox", default="bwrap", help="bwrap, or rlimits where bubblewrap cannot work")
    parser.add_argument("--out", help="a file of JSON lines, appended to; what stands in it is not run again")
    parser.add_argument("--keep", help="a folder for the whole JSON of each run")
    parser.add_argument("--option", action="append", default=[], help="passed on to r1ls, as --option=--set=KEY=VALUE")
    parser.add_argument("--table", nargs="+", metavar="FILE", help="the tables of such files")
    parser.add_argument("--check", action="store_true", help="test the tasks")
    args = parser.parse_args()
    if args.check:
        return check()
    if args.table:
        return table(read_rows(args.table)) or 0
    if not args.r1ls:
        parser.error("no r1ls")
    args.r1ls = os.path.abspath(args.r1ls)
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
