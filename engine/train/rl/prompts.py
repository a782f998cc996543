"""The questions that the closed loop asks (src/loop/ask.c), token for token, so that what is learnt here is used there."""
import re

SYSTEM = "You are a careful programmer."


CONTEXT_BYTES = 1600


def context(task):
    """The file before the function, as much of its end as the loop shows."""
    before = task["head"]
    if len(before) > CONTEXT_BYTES: before = before[-CONTEXT_BYTES:].split("\n", 1)[1]
    return before.strip()


def question(task):
    fence, name, before = f"```{task['language']}\n", task["name"], context(task)
    text = f"The file {task.get('path') or ('lib.c' if task['language'] == 'c' else 'lib.py')} begins with\n{fence}{before}\n```\n" if before else ""
    block = f"{fence}{task['broken'].strip()}\n```\n"
    tests = f"The tests in {task.get('tests', 'test.c' if task['language'] == 'c' else 'test.py')}:\n{fence}{task['examples'].rstrip()}\n```\n" if task.get("examples") else ""
    if task["kind"] == "body": return f"{text}{tests}Write the function `{name}` as its comment says, in one code block:\n{block}"
    said = f"What fails:\n```\n{task['message'].strip()}\n```\n" if task["message"] else ""
    return (f"{text}The function `{name}` has a bug:\n{block}{tests}{said}Find the bug and write the whole corrected function `{name}` in one code block. "
            "Change only what is wrong; the corrected function must differ from the one above.")


# The ways in which the loop asks (src/loop/sample.c). Bodies: in the middle of the file first (the only way of its one greedy
# sample), in the middle behind the tests, in chat. "again": in chat, with an earlier answer that failed and what the tests said of it.
MIDDLE = ("middle", "led")
BODY_WAYS = ("chat", "middle", "led", "again")


def closed(text):
    """A function as an answer in chat has it: with the fence that closes the block which the question opened."""
    return text.strip() + "\n```"


def failure(task):
    """What stands behind the question when an answer has failed: task["failed"] is its text, task["said"] the tests' message."""
    if "failed" not in task: return ""
    if task["said"] == "it changes nothing":
        return "\n\nAn earlier answer repeated the function unchanged, with its bug. Think about what fails, and change the line that causes it."
    return (f"\n\nThis attempt was wrong:\n```{task['language']}\n{task['failed'].strip()}\n```\nIt gives:\n```\n{task['said'].strip()}\n```\n"
            "Write it differently, so that this is right.")


def hole(task):
    """(the file up to the line break before the body, its indentation, the file behind the cursor) of a function without a body."""
    base = task.get("indent", ""); text = task.get("before", task["head"]) + base + task["broken"]
    if task["language"] == "c": return text.rstrip()[:-1].rstrip(), "    ", "\n}\n" + task.get("after", "")
    return text.rstrip()[:-len("pass")].rstrip(), base + "    ", "\n" + task.get("after", "")


def middle(task):
    """src/prompt/fim.c's prefix-first order. The indentation belongs to the answer: the server takes it back from the prompt."""
    before, _, after = hole(task); tests = ""
    if task["way"] == "led": tests = f"<|file_sep|>{task.get('tests', 'test.c' if task['language'] == 'c' else 'test.py')}\n{task['examples'].rstrip()}\n<|file_sep|>{task['path']}\n"
    return f"{tests}<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>\n"


def body_end(text, language, indent):
    """Where a body that a model goes on from ends (src/prompt/body.c): at the brace that closes it, or at a line that stands less deep; None: nowhere."""
    if language == "python":
        at = 0
        for line in text.split("\n"):
            if at and line.strip() and len(line) - len(line.lstrip(" \t")) < len(indent): return at - 1
            at += len(line) + 1
        return None
    depth = at = 0
    while at < len(text):
        if m := re.compile(r'//[^\n]*|/\*.*?(\*/|\Z)|"(\\.|[^"\\\n])*"?|\'(\\.|[^\'\\\n])*\'?', re.S).match(text, at): at = m.end(); continue
        depth += (text[at] == "{") - (text[at] == "}")
        if depth < 0: return at
        at += 1
    return None


def answer(task, text, ended):
    """What a model wrote, as the loop reads it: an answer with one code block, left open where the model came to no end."""
    if task.get("way") not in MIDDLE: return opening(task) + text
    before, indent, _ = hole(task); end = body_end(text, task["language"], indent)
    if not text.startswith(indent): return ""  # the server makes the answer begin with it
    function = before[len(task.get("before", task["head"])):] + "\n" + text[:end].rstrip() + ("\n}" if task["language"] == "c" else "")
    return f"```{task['language']}\n{function}\n" + ("```" if ended or end is not None else "")


def chat(text, opening):
    """Qwen2.5's form (ChatML), with the answer's first line given."""
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n{opening}"


# What R1-Zero's template does: it states the form and says nothing of how to think (DeepSeek-R1, table 1). It stands behind
# the question: as the system text it was followed by 3 answers of 100, too few to learn from.
ZERO = ("First you think about the question and how to solve it, in words, and then you give the answer. "
        "The thought stands between <think> and </think>, each mark on a line of its own; the answer is one code block and nothing else:\n"
        "<think>\n...\n</think>\n```LANGUAGE\n...\n```")


def prompt(task, zero=False):
    """zero: the model has to think first, and neither a thought nor a fence is opened for it."""
    if zero: return chat(question(task) + "\n\n" + ZERO.replace("LANGUAGE", task["language"]), "")
    if task.get("way") in MIDDLE: return middle(task)
    return chat(question(task) + failure(task), opening(task))


def opening(task): return f"```{task['language']}\n"
