"""What the think-and-answer form earns: every part of it alone, and what looks like it. Needs python3 alone."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train/rl"))
import prompts  # noqa: E402
import reward  # noqa: E402

THOUGHT = "The sum has to leave out what is not larger than k, so the comparison is wrong."
CODE = "```python\ndef total(a, k):\n    return sum(x for x in a if x > k)\n```"
WHOLE = f"<think>\n{THOUGHT}\n</think>\n{CODE}"
TASK = {"language": "python", "name": "total", "kind": "body", "params": [("a", "ints"), ("k", "int")], "inputs": [[[1, 2, 3], 1]], "wanted": [5], "baseline": 0.0, "head": "", "broken": "def total(a, k):\n"}


class Thought(unittest.TestCase):
    """The cases of engine/think.c for a vocabulary that spells the marks."""

    def split(self, text, thought, closed, answer): self.assertEqual(reward.split_thought(text), (thought, closed, answer), text)

    def test_split(self):
        self.split(WHOLE, THOUGHT + "\n", True, CODE)
        self.split("\n\n<think>\na</think> \t\n\nb", "a", True, "b")
        self.split("<think>a</think>", "a", True, "")
        self.split(CODE, None, False, CODE)
        self.split("Well. <think>a</think>\nb", None, False, "Well. <think>a</think>\nb")
        self.split("<think>\nfor ever", "for ever", False, "")

    def test_a_quoted_mark_and_one_inside_a_line_end_nothing(self):
        self.split("<think>\nthe mark `</think>`\nand \"</think>\n or </think> so\n</think>\nb", "the mark `</think>`\nand \"</think>\n or </think> so\n", True, "b")


class Form(unittest.TestCase):
    def test_the_steps_to_the_form(self):
        self.assertEqual(reward.form(WHOLE, True), 1.0)
        for earned, text in ((0.0, ""), (0.0, CODE), (0.0, "Sure!\n" + WHOLE), (0.25, "<think>\n" + THOUGHT), (0.25, f"<think></think>\n{CODE}"), (0.25, f"<think>\n{'x ' * 50}</think>\n{CODE}"),
                             (0.5, WHOLE + "\nThat is it."), (0.5, WHOLE[:-4]), (0.5, f"{WHOLE}\n{CODE}"), (0.5, WHOLE.replace(CODE, "Like this:\n" + CODE)), (0.25, f"<think>\n{WHOLE}"), (0.5, f"{WHOLE[:-3]}</think>\n```")):
            self.assertEqual(reward.form(text, True), earned, text)
        self.assertEqual(reward.form(WHOLE, False), 0.5, "cut off at the longest answer")

    def test_code_inside_the_thought_is_no_answer(self):
        scores = reward.score_thinking(TASK, [WHOLE, f"<think>\n{THOUGHT}\n{CODE}\n", CODE], [True, False, True], "rlimits")
        self.assertEqual([s["format"] for s in scores], [1.0, 0.25, 0.0])
        self.assertAlmostEqual(scores[0]["reward"], 1.0)
        self.assertAlmostEqual(scores[1]["reward"], 0.25 * reward.FORMAT)
        self.assertAlmostEqual(scores[2]["reward"], 1 - reward.FORMAT)

    def test_the_template_states_the_form_and_opens_nothing(self):
        text = prompts.prompt(TASK, True)
        self.assertTrue(text.endswith("<|im_start|>assistant\n"))
        self.assertIn("<think>\n...\n</think>\n```python\n", text)
        self.assertTrue(prompts.prompt(TASK).endswith("<|im_start|>assistant\n```python\n"))


if __name__ == "__main__": unittest.main()
