"""What an answer earns: one table, each part in [0, 1] with its weight.

usage: reward.py TASKS.jsonl ANSWERS.jsonl [R1LS]   (lines {"id", "answer"}): prints each answer's parts and its sum"""
import json
import re
import sys

import formal
import harness

WEIGHTS = {
    "answer": 0.05,    # one closed code block that holds the function by its name
    "compiles": 0.10,  # C: gcc -Wall -Wextra without an error; Python: it parses
    "clean": 0.05,     # no warning, and nothing but what was asked: no main, no statement beside definitions
    "tests": 0.30,     # the share of hidden tests passed, above what the broken function passes already
    "all": 0.40,       # every hidden test passed, with AddressSanitizer and UBSan silent in C
    "equal": 0.10,     # and no input is known on which it differs from the reference: C where a prover is given and can tell (formal.py)
}
FORMAT = 0.2  # of the whole where a thought is asked for; the table above has the rest
THOUGHT_WORDS = 8  # fewer are no thought


def split_thought(text):
    """(thought or None, closed?, answer), as engine/think.c reads a vocabulary without the marks as tokens: a thought opens
    the text, and its end is the first mark that ends a line and stands behind no quotation mark."""
    opened = text.lstrip("\r\n")
    if not opened.startswith("<think>"): return None, False, text
    inside = opened[len("<think>"):].lstrip("\r\n")
    end = re.search(r"(?<!['\"`])</think>[ \t]*(?=[\r\n]|\Z)", inside)
    return (inside[:end.start()], True, inside[end.end():].lstrip("\r\n")) if end else (inside, False, "")


def form(text, ended):
    """How far a text has the form think-and-answer, in [0, 1]: a thought opened, a thought in words and closed, and behind
    it one closed code block alone. ended: the model ended its turn by itself."""
    thought, closed, answer = split_thought(text)
    if thought is None: return 0.0
    if not closed or len(re.findall(r"[A-Za-z]{2,}", thought)) < THOUGHT_WORDS or "<think>" in thought: return 0.25
    lines = answer.strip().split("\n")
    alone = len(lines) > 2 and lines[0].startswith("```") and lines[-1].strip() == "```" and sum(l.strip().startswith("```") for l in lines) == 2
    return 1.0 if alone and ended and "think>" not in answer else 0.5


def code_block(answer):
    """(the first fenced block's text, closed?), as src/loop/answer.c reads it."""
    lines = answer.split("\n")
    fences = [i for i, line in enumerate(lines) if line.strip().startswith("```")]
    if not fences: return answer, False
    end = fences[1] if len(fences) > 1 else len(lines)
    return "\n".join(lines[fences[0] + 1:end]) + "\n", len(fences) > 1


def defines(code, name, language):
    return re.search(rf"^\s*def {name}\(" if language == "python" else rf"^[A-Za-z_].*\b{name}\s*\(", code, re.M) is not None


def definition(lines, name):
    """The index of the line in which a C function is defined; None: it is not."""
    return next((i for i, line in enumerate(lines) if re.match(rf"[A-Za-z_].*\b{re.escape(name)}\s*\(", line) and not line.rstrip().endswith(";")), None)


def extra(code, language):
    """Does it hold more than imports and definitions?"""
    if language == "c": return re.search(r"\bmain\s*\(", code) is not None
    return any(line and not line[0].isspace() and not re.match(r"(def |class |import |from |@|#|[A-Z_]+ *=|\"\"\"|\)|\]|\})", line) for line in code.split("\n"))


def fitted(code, task):
    """What the closed loop takes of an answer to a function in a file: the function by its name, with the answer's imports,
    at the place of the old one."""
    if "probes" not in task: return code
    lines, name = code.split("\n"), re.escape(task["name"])
    if task["language"] == "c":
        start = definition(lines, task["name"])
        end = next((i for i in range(start, len(lines)) if lines[i].startswith("}") or (i == start and lines[i].rstrip().endswith("}"))), None) if start is not None else None
        if end is None: return code
        kept = lines[start:end + 1]
        return "\n".join([l for l in lines[:start] if l.startswith("#include")] + kept) + "\n"
    start = next((i for i, l in enumerate(lines) if re.match(rf"\s*(async )?def {name}\(", l)), None)
    if start is None: return code
    old = len(lines[start]) - len(lines[start].lstrip()); end = start + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > old or (end == start + 1 or lines[end].lstrip().startswith(")")) and lines[end].startswith(")")): end += 1
    while start and lines[start - 1].strip().startswith("@"): start -= 1
    base = task.get("indent", "")
    return "".join(base * (l == l.lstrip()) + l + "\n" for l in lines[:start] if not base and re.match(r"(import|from) ", l)) + "".join((base + l[min(old, len(l) - len(l.lstrip())):] if l.strip() else "") + "\n" for l in lines[start:end])


def same(a, b, language):
    """Are two functions equal but for blanks that mean nothing? In Python how deep a line stands does."""
    if language != "python": return "".join(a.split()) == "".join(b.split())

    def lines(text):
        found = [(len(line) - len(line.lstrip()), "".join(line.split())) for line in text.split("\n") if line.strip()]
        least = min((depth for depth, _ in found[1:]), default=0)  # a method's first line may have lost its own
        return [(max(0, depth - least) if i else 0, said) for i, (depth, said) in enumerate(found)]

    return lines(a) == lines(b)


def bare(code):
    """A function without the comments above it."""
    lines = code.split("\n"); comment = re.compile(r"\s*(//|/\*|\*|#(?!include\b)|$)")
    return "\n".join(lines[next((i for i, line in enumerate(lines) if not comment.match(line)), 0):])


def repeats(task, answer):
    """Does a whole answer give back the function that it was to mend?"""
    code, closed = code_block(answer)
    return closed and task["kind"] == "fix" and same(bare(code), bare(task["broken"]), task["language"])


def score(tests, answer, prover=""):
    """{part: value} with "reward", their weighted sum, and "message", the first thing that went wrong; tests: harness.Tests; prover: r1ls, or
    "" for no formal check"""
    task = tests.task
    parts = dict.fromkeys(WEIGHTS, 0.0)
    code, closed = code_block(answer)
    parts["answer"] = float(closed and defines(code, task["name"], task["language"]))
    message = "" if parts["answer"] else "no closed code block with the function"
    if parts["answer"] and not (task["kind"] == "fix" and same(code, task["broken"], task["language"])):
        whole = lambda function: task.get("before", task["head"]) + fitted(function, task) + task.get("after", "")
        source = whole(code)
        share = lambda seen: sum(harness.equal(got, wanted) for got, wanted in zip(seen["outputs"], task["wanted"])) / len(task["wanted"])
        # Sanitizers take a compiler half as long again: they judge what the tests do not refuse.
        quick = task["language"] == "c" and "probes" in task
        seen = tests.run(source, sanitize=False if quick else None); passed = share(seen)
        if quick and passed == 1: seen = tests.run(source, sanitize=True); passed = share(seen)
        parts["compiles"] = float(seen["compiled"])
        parts["clean"] = float(seen["compiled"] and not seen["warnings"] and not extra(code, task["language"]))
        parts["tests"] = max(0.0, (passed - task["baseline"]) / (1 - task["baseline"]))
        parts["all"] = float(passed == 1 and seen["clean"])
        differs = formal.difference(prover, tests.folder, definition(source.split("\n"), task["name"]), whole(task["reference"]), source) if parts["all"] and prover and task["language"] == "c" and task.get("reference") else ""
        parts["equal"] = float(parts["all"] and not differs)
        message = differs[:300] if parts["all"] else seen["message"][:300] or f"{passed:.0%} of the tests pass"
    elif parts["answer"]: message = "the function came back unchanged"
    return parts | {"reward": sum(WEIGHTS[k] * v for k, v in parts.items()), "message": message}


def score_all(task, answers, how="bwrap", prover=""):
    """The scores of several answers to one task; equal answers are run once."""
    with harness.Tests(task, how) as tests: by_answer = {a: score(tests, a, prover) for a in dict.fromkeys(answers)}
    return [by_answer[a] for a in answers]


def score_thinking(task, texts, ended, how="bwrap", prover=""):
    """As score_all for texts that think first: only what stands behind the thought is the answer, and the form has its
    share ("format") of the reward."""
    scores = score_all(task, [split_thought(t)[2] for t in texts], how, prover)
    forms = [form(t, e) for t, e in zip(texts, ended)]
    return [s | {"format": f, "reward": FORMAT * f + (1 - FORMAT) * s["reward"]} for s, f in zip(scores, forms)]


def main():
    if len(sys.argv) not in (3, 4): sys.exit(__doc__)
    with open(sys.argv[1]) as f: tasks = {t["id"]: t for t in map(json.loads, f)}
    with open(sys.argv[2]) as f:
        for line in map(json.loads, f): print(json.dumps({"id": line["id"]} | score_all(tasks[line["id"]], [line["answer"]], prover="".join(sys.argv[3:]))[0]))


if __name__ == "__main__": main()
