"""Lines like those around a hole, in the form in which the server's prompt shows them before a document (src/prompt/context.c). The weights
were trained with this choice; the server's own looks at the lines before and after (src/prompt/similar.c)."""
import collections, re

import numpy as np


class Neighbours:
    """The files of a package, by their words: lines like those around a cursor."""
    WINDOW, STEP, FOLLOWING, BEFORE, AFTER, LEAST, BYTES, PIECES = 12, 4, 8, 10, 2, 0.25, 1600, 2
    NEAR_BEFORE, NEAR_AFTER, READ = 4096, 1536, 1 << 18  # characters of its own file that the model sees anyway; of a file that are looked at

    def __init__(self, rows):
        self.rows, self.files, self.places, sizes, found = rows, [], [], [], collections.defaultdict(list)
        for number, row in enumerate(rows):
            lines = row["text"][:self.READ].splitlines(keepends=True); words = [set(re.findall(r"\w+", line)) for line in lines]
            self.files.append((lines, np.cumsum([0] + list(map(len, lines)))))
            for at in range(0, len(lines), self.STEP):
                window = set().union(*words[at:at + self.WINDOW])
                for word in window: found[word].append(len(sizes))
                sizes.append(len(window)); self.places.append((number, at))
        self.sizes, self.found = np.array(sizes), {word: np.array(where) for word, where in found.items()}

    def similar(self, row, lines, hole, at):
        """[(path, lines)] like those around a hole (middle's) of lines, which stand at character `at` of row's file: the most similar last."""
        (i, j, _), begin = hole, at + sum(map(len, lines[:hole[0]])); end = begin + sum(map(len, lines[i:j + 1]))
        query = set(re.findall(r"\w+", "".join(lines[max(0, i - self.BEFORE):i] + lines[j + 1:j + 1 + self.AFTER])))
        where = [self.found[word] for word in query if word in self.found]; out, taken, room = [], set(), self.BYTES
        if not where: return []
        both = np.bincount(np.concatenate(where), minlength=len(self.sizes)); score = both / (self.sizes + len(query) - both)
        best = np.flatnonzero(score > self.LEAST)
        for k in best[np.argsort(-score[best], kind="stable")]:
            number, first = self.places[k]
            if number in taken: continue
            file, starts = self.files[number]; last = min(len(file), first + self.WINDOW + self.FOLLOWING)
            if self.rows[number] is row and starts[first] < end + self.NEAR_AFTER and starts[last] > begin - self.NEAR_BEFORE: continue
            text = "".join(file[first:last]).rstrip() + "\n"; taken.add(number)
            if len(text) <= room: out.insert(0, (self.rows[number]["path"], text)); room -= len(text)
            if len(taken) == self.PIECES: break
        return out
