"""What R1-Lite reads again of sampled answers: the shortest verified one, the author's where none was right, and corrections
asked for as the loop asks after a failure."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../engine/train/rl"))
import lite  # noqa: E402
import prompts  # noqa: E402

TASK = {"id": "t", "kind": "fix", "language": "c", "name": "twice", "head": "", "broken": "int twice(int x)\n{\n    return x;\n}\n", "message": "twice(2) is 2, wanted 4",
        "reference": "int twice(int x)\n{\n    return 2 * x;\n}\n"}
ERROR = "candidate.c: In function 'twice':\ncandidate.c:3:12: error: 'y' undeclared (first use in this function)\n    3 |     return y;"


def encode(text): return list(text.encode())


def score(solved, compiles=True, message=""): return {"all": float(solved), "compiles": float(compiles), "message": message}


def harvest(*answers, task=TASK):
    """answers: (text, ended?, score)"""
    h = lite.Harvest()
    h.note(task, encode(prompts.prompt(task)), [(encode(a), None, ended) for a, ended, _ in answers], [s for _, _, s in answers], lambda ids, ended: bytes(ids).decode())
    rows, counts = h.rows(encode, 0)
    return [(bytes(p).decode(), bytes(a).decode()) for p, a in rows], counts


class Harvest(unittest.TestCase):
    def test_the_shortest_verified_answer_is_read(self):
        rows, counts = harvest(("a longer right one", True, score(1)), ("right", True, score(1)), ("cut", False, score(1)), ("no", True, score(0)))
        self.assertEqual(rows, [(prompts.prompt(TASK), "right")])
        self.assertEqual(counts, {"own": 1, "author": 0, "corrections": 0})

    def test_the_authors_is_read_where_none_was_right(self):
        rows, counts = harvest(("no", True, score(0)), ("neither", True, score(0)))
        self.assertEqual(rows, [(prompts.prompt(TASK), TASK["reference"].strip() + "\n```")])
        self.assertEqual(counts["author"], 1)

    def test_an_answer_that_does_not_compile_is_corrected(self):
        rows, _ = harvest(("return y;", True, score(0, False, ERROR)), ("right", True, score(1)))
        asked, answer = rows[1]
        self.assertIn("This attempt was wrong:\n```c\nreturn y;\n```\nIt gives:\n```\nline 3:12: error: 'y' undeclared (first use in this function)\n```", asked)
        self.assertEqual(answer, "right")

    def test_an_unchanged_answer_is_asked_for_as_the_loop_does(self):
        rows, _ = harvest((TASK["broken"], True, score(0, False, "the function came back unchanged")), ("right", True, score(1)))
        self.assertIn("An earlier answer repeated the function unchanged, with its bug.", rows[1][0])
        self.assertNotIn("This attempt was wrong", rows[1][0])

    def test_a_body_in_the_middle_has_no_author_in_chat_form(self):
        task = TASK | {"kind": "body", "way": "middle", "broken": "int twice(int x)\n{\n}\n"}
        rows, counts = harvest(("no", True, score(0)), task=task)
        self.assertEqual((rows, counts["author"]), ([], 0))


if __name__ == "__main__": unittest.main()
