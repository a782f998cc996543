"""The questions that the closed loop asks (src/loop/ask.c), token for token, so that what is learnt here is used there."""
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
    return chat(question(task), opening(task))


def opening(task): return f"```{task['language']}\n"
