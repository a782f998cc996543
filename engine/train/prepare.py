"""Turns the corpus's shards into rows of tokens to train on.

usage: prepare.py tokenizer SHARD VOCAB OUT            trains the byte-level BPE, writes OUT/tokenizer.json
       prepare.py vocabulary MODEL.gguf OUT            OUT/tokenizer.json as a model file has it, to train that model on
       prepare.py held HELD.json OUT                   held-out text: OUT/val_LANG.bin and OUT/held_cases.json
       prepare.py pack OUT PROCS FIRST-END SHARD...    rows of each epoch, OUT/rows_E.bin, then OUT/rows_E.ok

A row is ROW tokens (uint16): whole documents packed by first fit, never split, the rest filled with end-of-text. A
document is a piece of a file under its path's header, most of them with a hole where people type, in the form and
of the size that the server's prompts have; the tokens of the hole carry a mark in their two highest bits: LINE where it is one
whole line, else HOLE on its first line and its end and LATER on the lines between. An epoch may be a part of the shards,
packed when it has arrived.
"""
import collections, json, multiprocessing, os, random, re, sys, time

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import mend
from bodies import documented
from corpus import lines_of
from similar import Neighbours

SPECIAL = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|fim_end|>",
           "<|user|>", "<|assistant|>", "<think>", "</think>", "<|tool|>"]
EOT, PRE, SUF, MID, SEP, END = range(6)
TOOL = SPECIAL.index("<|tool|>")
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LATER, HOLE, LINE = 1 << 14, 2 << 14, 3 << 14  # Tokens that a suggestion would have to write.
LINE_BREAK = "\u010a"  # as byte-level text
ROW = 2050  # The sequence and two tokens more: the next token's target and the MTP block's.
PLAIN_SHARE = 0.12  # of documents: without a hole
SIMILAR_SHARE, SMALL_SIMILAR_SHARE, PEER_SHARE = 0.85, 0.4, 0.03  # of documents as long as a prompt, of smaller ones: with similar lines, where there are any; with a piece of another file
PROMPT_SHARE = 0.4  # of documents with a hole: as long as the server's prompts; the others fill rows up
CUT_SHARE, JOINED_SHARE = 0.75, 0.2  # of documents with a hole: SUF suffix PRE prefix MID line; PRE SUF suffix MID prefix; the rest prefix first
PROMPT, SUFFIX_SHARE, SUFFIX_CHARACTERS = 1536, 0.25, 1536  # src/complete.c's tokens, and the part of them that src/prompt/fim.c gives the suffix
CHARACTERS_A_TOKEN = 3.1
HELD_HOLES = {"c": 6, "cpp": 2, "python": 1}  # pairs of a file
BODY_SHARE, ALONE_SHARE = 0.45, 0.5  # of holes where a documented function's body begins: that body; of documented functions: also as a small file
INCLUDES = re.compile(r"#\s*include\b|import\b|from\s+\S+\s+import\b|use\s|package\s")
COMMENTS = ("#", "//", "*", "/*", '"""')
SAMPLE = {"c": 40e6, "python": 22e6, "cpp": 11e6, "go": 6e6, "typescript": 6e6, "javascript": 4e6, "shell": 3e6, "rust": 4e6}
tokenizer, breaks = None, frozenset()  # breaks: the tokens with a line break in them


def byte_level(model):
    t = Tokenizer(model)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    return t


def model_tokenizer(path, out):
    """The tokenizer of a GGUF file, from its tokens and merges."""
    import gguf
    fields = gguf.GGUFReader(path).fields
    tokens, merges = (fields["tokenizer.ggml." + n].contents() for n in ("tokens", "merges"))
    t = byte_level(models.BPE({token: i for i, token in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges]))
    t.add_special_tokens(SPECIAL)
    t.save(out + "/tokenizer.json")


def train_tokenizer(path, vocabulary, out):
    t = byte_level(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    left = dict(SAMPLE)
    def texts():
        for row in map(json.loads, lines_of(path)):
            if left.get(row["lang"], 0) > 0:
                left[row["lang"]] -= len(row["text"])
                yield row["text"]
    t.train_from_iterator(texts(), trainer=trainer)
    t.save(out + "/tokenizer.json")


def load_tokenizer(out):
    global tokenizer, breaks
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer.from_file(out + "/tokenizer.json")
    breaks = breaks_of(tokenizer)


def breaks_of(tokenizer): return frozenset(number for token, number in tokenizer.get_vocab().items() if LINE_BREAK in token)


def encode(text): return tokenizer.encode(text, add_special_tokens=False).ids


def indent_of(line): return len(line) - len(line.lstrip(" \t"))


def block_end(lines, i):
    """The first line after those that belong under line i by indentation."""
    j = i + 1
    while j < len(lines) and (not lines[j].strip() or indent_of(lines[j]) > indent_of(lines[i])): j += 1
    return j


def line_cut(line, rng):
    """Where within a line something is missing up to: at a word's start or after an operator, with more than closers behind it."""
    cuts = [i for i in range(indent_of(line) + 1, len(line)) if (line[i].isalnum() or line[i] == "_") != (line[i - 1].isalnum() or line[i - 1] == "_")]
    cut = rng.choice(cuts) if cuts else len(line)
    return cut if line[cut:].strip(")]};:,'\"") else len(line)


def middle(lines, rows, rng):
    """Draws the hole of a document: the row of its first line, which is one of rows, the row of its last, and the column where that
    one's end is; -1 for a hole of nothing, on a line of its own."""
    if rng.random() < BODY_SHARE and (found := [f for f in documented(lines) if f[1] in rows]):
        _, i, j = rng.choice(found)
        return i, j, len(lines[j].rstrip("\n"))
    for _ in range(8):  # A line with something on it teaches more, and few ask for help within a comment.
        i = rng.choice(rows); body = lines[i].strip()
        if len(body) > 3 and (rng.random() < 0.25 or not body.startswith(COMMENTS)): break
    end, kind = len(lines[i].rstrip("\n")), rng.random()
    if kind < 0.72: return i, i, end
    if kind < 0.77: return i, i, line_cut(lines[i].rstrip("\n"), rng)
    if kind < 0.88: j = min(len(lines), i + rng.choice([2, 2, 2, 3, 3, 4, 5, 6, 9])) - 1
    elif kind < 0.97:  # the body under a line
        j = block_end(lines, i) - 1; i = min(i + 1, j)
        if j - i > 40: j = i
    else: return i, i, -1
    return i, j, len(lines[j].rstrip("\n"))


def holed(lines, hole, others, head, room, rng):
    """A text's beginning with a hole (middle's), behind parts of other files, as the server's prompt has it (src/prompt/fim.c): the suffix has a part of the room
    at most, the prefix what is left, its start giving way. What stands on the cursor's line is tokenized as one with what
    follows, because the server takes the word before the cursor back and lets the model choose it anew (token healing).
    Also the character that it reaches."""
    (i, j, column), text = hole, "".join(lines)
    begin = sum(map(len, lines[:i])); end = begin + sum(map(len, lines[i:j])) + max(column, 0)
    after = ("\n" if column < 0 else "") + text[end:end + SUFFIX_CHARACTERS]
    if end + SUFFIX_CHARACTERS < len(text): after = after[:after.rfind("\n") + 1] or after
    suffix = encode(after)[:int(SUFFIX_SHARE * room)]; order = rng.random()
    apart = order < CUT_SHARE or order >= CUT_SHARE + JOINED_SHARE
    prefix, hole = encode(text[:begin]), encode(text[begin:end])
    if apart: hole = hole[:room // 2]
    else:  # one text; a token of it seldom goes over the line's start
        joined = encode(text[:end]); hole = joined[len(joined) - len(hole):] if hole else []; prefix = joined[:len(joined) - len(hole)]
    left = max(0, min(room, ROW - 6 - len(others) - len(hole)) - len(head) - len(suffix)); prefix = prefix[max(0, len(prefix) - left):]
    hole = marked(hole + [END], i == j and column == len(lines[i].rstrip("\n")))
    head = others + head
    if order < CUT_SHARE: ids = head + [SUF] + suffix + [PRE] + prefix + [MID] + hole
    elif not apart: ids = head + [PRE, SUF] + suffix + [MID] + prefix + hole
    else: ids = head + [PRE] + prefix + [SUF] + suffix + [MID] + hole
    return (ids + [EOT])[:ROW], end + len(after)


def marked(hole, is_line):
    """A hole's tokens, the last of which is its end, with their marks."""
    if is_line: return [t | LINE for t in hole]
    first = next((k for k, t in enumerate(hole) if t in breaks), len(hole))
    return [t | (HOLE if k <= first or t == END else LATER) for k, t in enumerate(hole)]


def rows_of(text, first, last):
    """The rows that the characters first to last of text stand in."""
    return range(text.count("\n", 0, first), text.count("\n", 0, last) + (last < len(text) or text[-1:] != "\n"))


def documents(row, near, rng):
    """A file as documents, one after the other: pieces of about as many tokens as a prompt of the server has, smaller ones that fill
    rows up, and plain ones as long as a row. The hole is where a prompt's prefix is full, but at a file's beginning
    and end anywhere. Parts of other files come on top of the prompt's tokens."""
    text, at, head = row["text"], 0, header(row)
    if "hole" in row:  # distill.py's, whose lines a teacher wrote, and tasks.py's
        lines = text.splitlines(keepends=True); i, j = row["hole"]
        yield holed(lines, (i, j, len(lines[j].rstrip("\n"))), tokens_of(row.get("pieces", ())), head, PROMPT, rng)[0]
        return
    while len(text) - at > (0 if at == 0 else 150):
        plain = rng.random() < PLAIN_SHARE
        room = ROW - 10 if plain else PROMPT if rng.random() < PROMPT_SHARE else rng.randrange(100, 480)
        size = int(max(100, room - len(head)) * CHARACTERS_A_TOKEN); left = len(text) - at
        stop = len(text) if left < 1.1 * size else text.find("\n", at + size) + 1 or len(text)
        if plain:
            yield (head + encode(text[at:stop]) + [EOT])[:ROW]
            at = stop; continue
        piece = text[at:at + 2 * size]; full = int((1 - SUFFIX_SHARE) * size)
        if left <= size: rows = rows_of(piece, 0, left)
        else: rows = rows_of(piece, 0 if at == 0 else full - min(500, full), full)
        lines = piece.splitlines(keepends=True); hole = middle(lines, rows, rng)
        others = parts(row, near, lines, hole, at, SIMILAR_SHARE if room == PROMPT else SMALL_SIMILAR_SHARE, rng)
        ids, reached = holed(lines, hole, others, head, room, rng)
        yield ids
        at += max(reached, 1)


def small_files(row, rng):
    """Documented functions of a file almost alone, their bodies the holes: what the closed loop asks in a small file."""
    lines = row["text"].splitlines(keepends=True)
    for comment, i, j in documented(lines):
        if rng.random() > ALONE_SHARE or indent_of(lines[comment]): continue
        start, end = max(0, comment - rng.choice((0, 0, 0, 8, 25))), j + 2 + rng.choice((0, 0, 3, 15))
        above = [line for line in lines[:min(start, 80)] if INCLUDES.match(line)][:8]
        piece = above + ["\n"] * (len(above) > 0) + lines[start:end]; shift = len(piece) - len(lines[start:end]) - start
        yield holed(piece, (i + shift, j + shift, len(lines[j].rstrip("\n"))), [], header(row), PROMPT, rng)[0]


def mended(row):
    """A row of mend.py's as a document: the text, then the lines to be replaced and what is to stand there; the end at once where nothing is wrong."""
    lines, said = mend.split(row["text"]), [END]
    if row["mend"]: first, last, new = row["mend"]; said = encode("".join(lines[first:last])) + [MID] + encode("".join(new)) + [END]
    return header(row) + encode(row["text"]) + [TOOL] + [t | HOLE for t in said] + [EOT]


def header(row): return [SEP] + encode(row["path"] + "\n")[:64]


def parts(row, near, lines, hole, at, share, rng):
    """Parts of other files as the server's prompt has them before a document: similar lines in a share of them, or a piece of any file of the package."""
    chance, found = rng.random(), []
    if chance < share: found = near.similar(row, lines, hole, at)
    elif chance < share + PEER_SHARE and (peer := rng.choice(near.rows)) is not row:
        start = rng.randrange(max(1, len(peer["text"]) - 600)); start = peer["text"].find("\n", start) + 1
        found = [(peer["path"], peer["text"][start:start + rng.choice([300, 600, 1000])] + "\n")]
    return tokens_of(found)


def tokens_of(parts): return [t for path, text in parts for t in header({"path": path}) + encode(text)]


def packed(documents):
    """First fit, longest first."""
    documents.sort(key=len, reverse=True)
    bins = []
    for d in documents:
        for b in bins:
            if len(b) + len(d) <= ROW: b += d; break
        else: bins.append(list(d))
    return bins


def pack_files(job):
    lines, seed = job
    rows = [json.loads(line) for line in lines]
    rng = random.Random(seed); found, peers = [], collections.defaultdict(list)
    for row in rows: peers[row["pkg"]].append(row)
    for of_package in peers.values():
        near = Neighbours([row for row in of_package if "hole" not in row])
        for row in of_package:
            found += documents(row, near, rng)
            if "hole" not in row: found += small_files(row, rng)
            found += [d for d in map(mended, mend.rows(row, rng)) if len(d) <= ROW]
    rng.shuffle(found); bins = []
    for i in range(0, len(found), 800): bins += packed(found[i:i + 800])
    return np.array([b + [EOT] * (ROW - len(b)) for b in bins], dtype=np.uint16), sum(map(len, bins))


def batches(shards, epoch, size=256):
    number = 0
    for shard in shards:
        current = []
        for line in lines_of(shard):
            current.append(line)
            if len(current) == size:
                yield current, number * 1009 + epoch
                current = []; number += 1
        if current:
            yield current, number * 1009 + epoch
            number += 1


def pack(out, procs, epochs, shards):
    start = time.time()
    with multiprocessing.Pool(procs, load_tokenizer, (out,)) as pool:
        for epoch in epochs:
            tokens = used = 0
            with open(f"{out}/rows_{epoch}.bin", "wb") as f:
                for rows, n in pool.imap_unordered(pack_files, batches(shards, epoch)):
                    rows.tofile(f); tokens += rows.size; used += n
            open(f"{out}/rows_{epoch}.ok", "w").close()
            print(f"epoch {epoch}: {tokens / 1e6:.1f} M tokens, {used / tokens:.3f} used, {time.time() - start:.0f} s", flush=True)


def held(path, out):
    """Held-out text by language, as plain documents, and the holes that the trainer asks for."""
    load_tokenizer(out); rng = random.Random(7); ids = collections.defaultdict(list); size = collections.Counter(); cases = []
    rows = json.load(open(path)); rng.shuffle(rows)
    for row in rows:
        ids[row["lang"]] += [SEP] + encode(row["path"] + "\n" + row["text"]) + [EOT]; size[row["lang"]] += len(row["text"].encode())
        cases += held_cases(row, rng)
    meta = {}
    for lang, tokens in ids.items():
        if len(tokens) < 20000: continue
        np.array(tokens, dtype=np.uint16).tofile(f"{out}/val_{lang}.bin"); meta[lang] = size[lang] / len(tokens)
    json.dump(meta, open(out + "/val_bytes_per_token.json", "w")); json.dump(cases, open(out + "/held_cases.json", "w"))
    print("bytes a token", meta, "cases", len(cases))


def held_cases(row, rng):
    """Holes of one line at most, as the server asks for them, in both orders: the word before the cursor is taken back ("forced", as
    byte-level text), and the target begins with it."""
    lines = row["text"].splitlines(keepends=True); text = row["text"]
    if len(lines) < 20 or row["lang"] not in HELD_HOLES: return
    for kind in ("rest", "line") * HELD_HOLES[row["lang"]]:
        i = rng.randrange(5, len(lines)); line = lines[i].rstrip("\n"); body = line.strip()
        if len(body) < 8 or body.startswith(COMMENTS): continue
        begin = sum(map(len, lines[:i])); end = begin + len(line)
        a = begin + indent_of(line) + (0 if kind == "line" else max(1, int(len(body) * rng.uniform(0.2, 0.8))))
        suffix = encode(text[end:end + SUFFIX_CHARACTERS])[:int(SUFFIX_SHARE * PROMPT)]
        before, typed = encode(text[:begin])[-(PROMPT - 64 - len(suffix)):], encode(text[begin:a])
        word = len(re.search(r"\w*$", text[begin:a])[0]); n = min(1, len(typed))
        while n < len(typed) and len(tokenizer.decode(typed[-n:])) < word: n += 1
        back, typed = typed[len(typed) - n:], typed[:len(typed) - n]
        target = encode(tokenizer.decode(back) + text[a:end]); forced = "".join(map(tokenizer.id_to_token, back))
        head = [SEP] + encode(row["path"] + "\n")
        for order, prompt in ("cut", head + [SUF] + suffix + [PRE] + before + [MID] + typed), ("joined", head + [PRE, SUF] + suffix + [MID] + before + typed):
            yield {"lang": row["lang"], "kind": kind, "order": order, "forced": forced, "prompt": prompt, "target": target}


def main():
    command, rest = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if command == "vocabulary" and len(rest) == 2: model_tokenizer(*rest)
    elif command == "tokenizer" and len(rest) == 3: train_tokenizer(rest[0], int(rest[1]), rest[2])
    elif command == "held" and len(rest) == 2: held(*rest)
    elif command == "pack" and len(rest) > 3: pack(rest[0], int(rest[1]), range(*map(int, rest[2].split("-"))), rest[3:])
    else: sys.exit(__doc__)


if __name__ == "__main__": main()
