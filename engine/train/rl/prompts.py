"""The questions that the closed loop asks (src/loop/ask.c), token for token, so that what is learnt here is used there."""
SYSTEM = "You are a careful programmer."


def question(task):
    fence, name, head = f"```{task['language']}\n", task["name"], task["head"].strip()
    text = f"The file {'lib.c' if task['language'] == 'c' else 'lib.py'} begins with\n{fence}{head}\n```\n" if head else ""
    block = f"{fence}{task['broken'].strip()}\n```\n"
    if task["kind"] == "body": return f"{text}Write the function `{name}` as its comment says, in one code block:\n{block}"
    said = f"What fails:\n```\n{task['message']}\n```\n" if task["message"] else ""
    return (f"{text}The function `{name}` has a bug:\n{block}{said}Find the bug and write the whole corrected function `{name}` in one code block. "
            "Change only what is wrong; the corrected function must differ from the one above.")


def chat(text, opening):
    """Qwen2.5's form (ChatML), with the answer's first line given."""
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n{opening}"


def prompt(task): return chat(question(task), opening(task))


def opening(task): return f"```{task['language']}\n"
