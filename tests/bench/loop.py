#!/usr/bin/env python3
"""How many tasks the closed loop solves: `loop.py R1LS [--model M]... [--mode greedy,best,loop] [--only NAME]`.

Each task is a little project with a test suite, in C or in Python: a planted bug that its tests show, or a function to
write. r1ls works on it by its own command line, in one of three modes: one greedy sample of the model, best of N
without feedback, the whole loop. Solved means that tests which neither the loop nor its model ever saw pass; a false
verdict is a result that r1ls called verified and that fails them; what it offers with a doubt is no verdict, but counts
as solved if it is right. --check tests the tasks themselves."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
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


def passes(task, folder, tests):
    write_tests(task, folder, tests)
    try:
        done = subprocess.run(COMMANDS[task["language"]].split(), cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


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


def run_task(args, model, mode, task, top):
    folder = os.path.join(top, "%s-%s-%s" % (os.path.basename(model), mode, task["name"]))
    source = broken(task)
    make_project(task, folder, source)
    place = "%s:%d" % (os.path.join(folder, SOURCE[task["language"]]), find_function(task, source) + 1)
    command = [args.r1ls, "debug" if task["kind"] == "fix" else "generate", place, "--trust", "--json", "--apply",
               "--model", model, "--cmd", COMMANDS[task["language"]], "--seed", str(args.seed),
               "--set", "generateBudgetMs=%d" % (1000 * args.seconds)] + MODES[mode] + args.option
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    row = dict(task=task["name"], kind=task["kind"], language=task["language"], model=model, mode=mode,
               seconds=round(time.monotonic() - start, 1))
    if done.returncode not in (0, 1):
        raise SystemExit("%s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr))
    result = json.loads(done.stdout)
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
        with open(os.path.join(args.keep, "%s-%s-%s.json" % (os.path.basename(model), mode, task["name"])), "w") as f:
            f.write(done.stdout)
    row.update(found=result["found"], verified=result["verified"], tokens=result["generated_tokens"],
               candidates=len(result["candidates"]), summary=result["summary"])
    if result["found"]:
        row["by"] = result["candidates"][result["chosen"]]["proposer"]
    row["solved"] = result["found"] and passes(task, folder, task["hidden"]) and passes(task, folder, task["visible"])
    shutil.rmtree(folder)
    return row


def median(values):
    values = sorted(values)
    return values[len(values) // 2] if values else 0


def table(rows):
    print("\n| model | mode | solved | to fix | to write | verified | of these false | doubted | of these right "
          "| s a task (median, mean) | tokens a task |\n|---|---|---|---|---|---|---|---|---|---|---|")
    for model, mode in sorted({(r["model"], r["mode"]) for r in rows}, key=lambda k: (k[0], list(MODES).index(k[1]))):
        mine = [r for r in rows if (r["model"], r["mode"]) == (model, mode)]

        def share(kind):
            of = [r for r in mine if r["kind"] == kind]
            return "%d of %d" % (sum(r["solved"] for r in of), len(of))
        verified = [r for r in mine if r["verified"]]
        seconds = [r["seconds"] for r in mine]
        doubted = [r for r in mine if r["found"] and not r["verified"]]
        print("| %s | %s | %d of %d | %s | %s | %d | %d | %d | %d | %.0f, %.0f | %.0f |" % (
            os.path.basename(model), mode, sum(r["solved"] for r in mine), len(mine), share("fix"), share("write"),
            len(verified), sum(not r["solved"] for r in verified), len(doubted), sum(r["solved"] for r in doubted), median(seconds), sum(seconds) / len(mine),
            sum(r["tokens"] for r in mine) / len(mine)))


def word(row):
    if not row["found"]:
        return "-"
    if row["verified"]:
        return "solved" if row["solved"] else "FALSE"
    return "solved?" if row["solved"] else "doubted"


def run(args):
    rows, top = [], tempfile.mkdtemp(prefix="r1ls-bench-")
    try:
        for model in args.model or ["embedded"]:
            for task in tasks(args.held):
                if args.only and not re.search(args.only, task["name"]):
                    continue
                for mode in args.mode.split(","):
                    # The loop begins with the greedy sample: a bug that this fixes, the others fix in the same way.
                    # A function that is written has to be borne out by a second answer.
                    first = next((r for r in rows if (r["task"], r["model"], r["mode"]) == (task["name"], model, "greedy")),
                                 None)
                    if first and first["verified"] and task["kind"] == "fix":
                        row = dict(first, mode=mode)
                    else:
                        row = run_task(args, model, mode, task, top)
                    rows.append(row)
                    print("%-8s %-18s %-6s %-7s %-10s %5.1f s %5d tokens  %s" % (
                        mode, task["name"], task["kind"], word(row), row.get("by", ""), row["seconds"], row["tokens"],
                        row["summary"].split("\n")[0][:100]), flush=True)
                    if args.out:
                        with open(args.out, "a") as f:
                            f.write(json.dumps(row) + "\n")
        table(rows)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("r1ls", nargs="?")
    parser.add_argument("--model", action="append")
    parser.add_argument("--mode", default="greedy,best,loop")
    parser.add_argument("--held", action="store_true", help="the tasks that nothing is developed with")
    parser.add_argument("--only", help="regular expression over the names of tasks")
    parser.add_argument("--seconds", type=int, default=180, help="time limit of a task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="a file of JSON lines, appended to")
    parser.add_argument("--keep", help="a folder for the whole JSON of each run")
    parser.add_argument("--option", action="append", default=[], help="passed on to r1ls, as --option=--set=KEY=VALUE")
    parser.add_argument("--check", action="store_true", help="test the tasks")
    args = parser.parse_args()
    if args.check:
        return check()
    if not args.r1ls:
        parser.error("no r1ls")
    args.r1ls = os.path.abspath(args.r1ls)
    return run(args)


sys.exit(main())
