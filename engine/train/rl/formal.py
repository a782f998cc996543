"""The closed loop's formal check (docs/formal.md) for the reward: does an answer differ from the reference on some input?"""
import json
import subprocess

SECONDS = 3  # for the solver
FORGIVEN = ("overflow",)  # as the closed loop does: on inputs far outside of what a comment means, every second way to count has one


def difference(prover, folder, index, old, new):
    """What `r1ls prove --against` shows of two C files' functions: inputs on which they differ, or "" where they are equal or it cannot
    tell (a construct outside its subset, no time). Nothing of either is executed; r1ls runs the solver in its own sandbox. folder: to write into;
    index: of the line of `new` in which the function is defined; None: it cannot tell."""
    if index is None: return ""
    for file, text in (("old.c", old), ("new.c", new)):
        with open(f"{folder}/{file}", "w") as f: f.write(text)
    try: said = subprocess.run([prover, "prove", f"new.c:{index + 1}", "--against", "old.c", "--prover", "z3", "--seconds", str(SECONDS), "--json"], cwd=folder, capture_output=True, timeout=10 * SECONDS).stdout
    except subprocess.TimeoutExpired: return ""
    try: said = json.loads(said)
    except ValueError: raise RuntimeError(f"{prover} prove says {said[:200]!r}, wanted JSON") from None
    return "; ".join(f"{f['text']}, with {f['inputs']}" for f in said["findings"] if f["kind"] not in FORGIVEN) if said["answer"] == "different" else ""
