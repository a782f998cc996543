"""R1-Lite's middle steps: which of the policy's own answers it reads again after the first reinforcement.

Rejection sampling: of each question the shortest verified answer of the last group that was sampled for it. Beside these the
author's answer where none of a group was right, and corrections: the question after an answer that did not compile or came
back unchanged, as the loop asks it then."""
import random
import re

import prompts

UNCHANGED = "it changes nothing"  # the loop's own note


def compiler_said(message):
    """As the loop shows it: the errors with their lines."""
    return "\n".join(f"line {line}:{column}: {text}" for line, column, text in re.findall(r"candidate\.c:(\d+):(\d+): (error: .*)", message)[:3])


class Harvest:
    """What was sampled: by task id, the task, its shortest right answer (prompt, ids) and one that did not compile (text, note)."""

    def __init__(self): self.tasks, self.right, self.failed, self.share = {}, {}, {}, {}

    def note(self, task, prompt, answers, scores, text_of):
        name = task["id"]; self.tasks[name] = task; self.share[name] = sum(s["all"] for s in scores) / len(scores)
        right = [ids for (ids, _, ended, *_), s in zip(answers, scores) if s["all"] and ended]
        if right: self.right[name] = prompt, min(right, key=len)
        for (ids, _, ended, *_), s in zip(answers, scores):
            said = UNCHANGED if "unchanged" in s["message"] else compiler_said(s["message"])
            if ended and not s["compiles"] and said: self.failed[name] = text_of(ids, ended), said; break

    def rows(self, encode, seed):
        """(prompt ids, answer ids) to read, and how many of each kind. Of questions that every answer solves every other one is left out."""
        rng = random.Random(seed); own, author, corrections = [], [], []
        written = lambda task: encode(prompts.closed(task["reference"])) if task.get("reference") and task.get("way") not in prompts.MIDDLE else None
        for name, task in self.tasks.items():
            answer = self.right[name][1] if name in self.right else written(task)
            if answer is None: continue
            if name not in self.right: author.append((encode(prompts.prompt(task)), answer))
            elif self.share[name] < 1 or rng.random() < 0.5: own.append(self.right[name])
            if name in self.failed and task.get("way") not in prompts.MIDDLE:
                text, said = self.failed[name]
                corrections.append((encode(prompts.prompt(task | {"failed": text, "said": said})), answer))
        return own + author + corrections, {"own": len(own), "author": len(author), "corrections": len(corrections)}
