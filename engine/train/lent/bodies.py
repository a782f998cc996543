"""How many functions `r1ls generate` writes rightly at the first, greedy try, judged by hidden tests.

usage: bodies.py R1LS MODEL.gguf TASKS.jsonl OUT.jsonl JOBS [COUNT]: TASKS as rl/library.py writes them, of which those of kind body are taken
"""
import concurrent.futures, json, os, pathlib, subprocess, sys, tempfile, time

sys.path.insert(0, next(str(d) for d in (pathlib.Path(__file__).resolve().parent / "train/rl", pathlib.Path(__file__).resolve().parents[1] / "rl") if d.is_dir()))
import harness

ANSWER_S = 120


def written(r1ls, model, task, folder):
    """The file with the body that was written, or what was said."""
    path = pathlib.Path(folder) / os.path.basename(task["path"]); before = task["before"]
    path.write_text(before + task["broken"] + task["after"])
    row = before.count("\n") + next(i for i, l in enumerate(task["broken"].split("\n"), 1) if f"{task['name']}(" in l and not l.lstrip().startswith(("//", "*", "/*", "#")))
    home = {name: folder for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")}
    done = subprocess.run([r1ls, "generate", f"{path}:{row}", "--apply", "--json", "--model", model, "--threads", "1", "--candidates", "1", "--rounds", "1", "--root", folder],
                          env=os.environ | home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=ANSWER_S)
    return path.read_text() if done.returncode == 0 else None, (done.stderr or done.stdout).decode("utf-8", "replace")[-300:]


def judge(job):
    r1ls, model, task = job; said = ""
    try:
        with tempfile.TemporaryDirectory(prefix="r1ls-bodies-") as folder: source, said = written(r1ls, model, task, folder)
        out = {"id": task["id"], "name": task["name"], "part": task["part"], "language": task["language"], "compiled": False, "share": 0.0, "right": False}
        if source is None: return out | {"said": said}
        with harness.Tests(task, "rlimits", False) as tests: seen = tests.run(source)
        share = sum(harness.equal(got, wanted) for got, wanted in zip(seen["outputs"], task["wanted"])) / len(task["wanted"])
        return out | {"compiled": seen["compiled"], "share": share, "right": bool(share == 1 and seen["clean"]), "source": source}
    except Exception as error: return {"id": task["id"], "part": task["part"], "language": task["language"], "compiled": False, "share": 0.0, "right": False, "said": f"{error} {said}"[:300]}


def main():
    if len(sys.argv) not in (6, 7): sys.exit(__doc__)
    r1ls, model, tasks, out, jobs = sys.argv[1:6]; start = time.time()
    with open(tasks) as f: chosen = [t for t in map(json.loads, f) if t["kind"] == "body"][:int(sys.argv[6]) if len(sys.argv) > 6 else None]
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool, open(out, "w") as f:
        rows = []
        for row in pool.map(judge, [(os.path.abspath(r1ls), os.path.abspath(model), t) for t in chosen]): rows.append(row); f.write(json.dumps(row) + "\n"); f.flush()
    print(f"{os.path.basename(model)}: {len(rows)} functions, {sum(r['compiled'] for r in rows)} compile, {sum(r['right'] for r in rows)} right, "
          f"{sum(r['share'] for r in rows) / len(rows):.3f} of the tests pass; {time.time() - start:.0f} s")


if __name__ == "__main__": main()
