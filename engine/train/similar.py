"""Lines like those around a hole, chosen as the server chooses them for a prompt (src/prompt/similar.c, context.c): of the files that mention most
of the names around it, and of its own, the place whose lines before it have the words of the lines before the hole, and the lines after it those of the
lines after."""
import bisect, collections, re

import numpy as np

WORD = re.compile(r"[0-9A-Za-z_\x80-\U0010ffff]+")


class Neighbours:
    """The files of a package, by their words."""
    BEFORE, AFTER, ABOVE, BELOW, FADING = 8, 4, 3, 4, 0.85  # lines that are compared, lines that are shown around the place
    LEAST, BYTES, PIECES, FILES = 0.15, 1600, 5, 16
    NAMES, NAMES_BEFORE, NAMES_AFTER = 48, 40, 8  # names by which files are taken, and the lines that they stand in
    NEAR_BEFORE, NEAR_AFTER, READ = 4096, 1536, 1 << 18  # characters of its own file that the model sees anyway; of a file that are looked at

    def __init__(self, rows):
        self.rows, self.number, self.files, lines_with, files_with = rows, {id(row): k for k, row in enumerate(rows)}, [], collections.defaultdict(list), collections.defaultdict(list)
        first = gap = self.BEFORE + self.AFTER  # lines between files, so that none reaches into the next
        for number, row in enumerate(rows):
            lines = row["text"].splitlines(keepends=True); starts = np.cumsum([0] + list(map(len, lines)))
            words = [WORD.findall(line) for line in lines]; n = int(np.searchsorted(starts[:-1], self.READ)); mentioned = set()
            for k in range(n):
                for word in set(words[k]): lines_with[word].append(first + k)
                mentioned.update(words[k])
            for word in mentioned: files_with[word].append(number)
            self.files.append((lines, starts, words, first, n)); first += n + gap
        self.n_lines = first
        self.lines_with, self.files_with = ({word: np.array(where) for word, where in found.items()} for found in (lines_with, files_with))
        self.file_of = np.full(first, len(rows))
        for number, (*_, begin, n) in enumerate(self.files): self.file_of[begin:begin + n] = number
        self.near = self.FADING ** np.arange(self.BEFORE)

    def names(self, words, row, after):
        """Around the hole between two lines, the nearest before it first."""
        found = {}
        for line in words[max(0, row - self.NAMES_BEFORE):row][::-1] + words[after:after + self.NAMES_AFTER - 1][::-1]:
            for word in reversed(line):
                if len(word) > 2 and not word[0].isdigit(): found[word] = None
            if len(found) >= self.NAMES: break
        return list(found)[:self.NAMES]

    def mention_most(self, names, own):
        """Whether each file is one of those that mention most of the names, the rarer ones counting more, or the own one."""
        where = [self.files_with[name] for name in names if name in self.files_with]; taken = np.zeros(len(self.rows) + 1, dtype=bool); taken[own] = True
        if not where: return taken
        score = np.bincount(np.concatenate(where), np.repeat([1 / len(w) for w in where], list(map(len, where))), minlength=len(self.rows)); score[own] = 0
        best = np.argsort(-score, kind="stable")[:self.FILES]; taken[best[score[best] > 0]] = True
        return taken

    def query(self, words, row, after):
        """{word: (how near it stands before the hole, and behind it)}"""
        found = {}
        for side, lines in enumerate((words[max(0, row - self.BEFORE):row][::-1], words[after:after + self.AFTER])):
            for near, line in zip(self.near, lines):
                for word in line: sides = found.setdefault(word, [0.0, 0.0]); sides[side] = sides[side] or near
        return found

    def scores(self, query, taken):
        """Of each line of the taken files as the hole's place, from 0 to 1."""
        where = [self.lines_with.get(word, ()) for word in query]; sides = np.array(list(query.values()))
        at = np.concatenate(where).astype(int); word = np.repeat(np.arange(len(where)), list(map(len, where)))
        keep = taken[self.file_of[at]]; at, word = at[keep], word[keep]
        n_lines = sum(self.files[k][-1] + 1 for k in np.flatnonzero(taken))
        rare = np.log(1 + n_lines / (1 + np.bincount(word, minlength=len(where))))
        other = np.diff(word, prepend=-1, append=-1) != 0  # where another word's lines begin
        last = np.where(other[:-1], -1, np.roll(at, 1)); following = np.where(other[1:], self.n_lines, np.roll(at, -1))
        scores = np.zeros(self.n_lines)
        for side, step, n in ((0, 1, self.BEFORE), (1, -1, self.AFTER)):
            wanted = sides[word, side]; some = np.flatnonzero(wanted); w, far = word[some, None], np.arange(n)
            rows = at[some, None] + step * (1 + far); share = rare[w] * np.minimum(self.near[:n], wanted[some, None])
            share[rows > following[some, None] if side == 0 else rows < last[some, None]] = 0  # the same word stands nearer to it
            scores += np.bincount(rows.ravel(), share.ravel(), minlength=self.n_lines)
        return scores / max(1e-9, (rare * sides.sum(1)).sum())

    def similar(self, row, lines, hole, at):
        """[(path, lines)] like those around a hole (middle's) of lines, which stand at character `at` of row's file: the most similar last."""
        own = self.number[id(row)]; (i, j, column), (_, starts, words, first, _) = hole, self.files[own]
        begin = at + sum(map(len, lines[:i])); end = begin + (sum(map(len, lines[i:j + 1])) if column >= 0 else 0)
        before, after = (bisect.bisect_left(starts, x) for x in (begin, end))
        query = self.query(words, before, after); found, out, room = [], [], self.BYTES
        if not any(word in self.lines_with for word in query): return []
        taken = self.mention_most(self.names(words, before, after), own); scores = self.scores(query, taken)
        for k in np.flatnonzero(taken[:-1]):
            file, starts, _, first, n = self.files[k]; score = scores[first:first + n]
            if k == own:
                rows = np.arange(n); near = (starts[np.maximum(rows - self.ABOVE, 0)] < end + self.NEAR_AFTER) & (starts[np.minimum(rows + 1 + self.BELOW, len(file))] > begin - self.NEAR_BEFORE)
                score = np.where(near, 0, score)
            if n and score.max() > self.LEAST: found.append((-score.max(), k, int(score.argmax())))
        for _, k, place in sorted(found)[:self.PIECES]:
            text = "".join(self.files[k][0][max(0, place - self.ABOVE):place + 1 + self.BELOW]).rstrip() + "\n"
            if 1 < len(text) <= room: out.insert(0, (self.rows[k]["path"], text)); room -= len(text)
        return out
