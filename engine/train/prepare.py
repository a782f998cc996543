"""Turns the corpus's shards into rows of tokens to train on.

usage: prepare.py tokenizer SHARD VOCAB OUT            trains the byte-level BPE, writes OUT/tokenizer.json
       prepare.py vocabulary MODEL.gguf OUT            OUT/tokenizer.json as a model file has it, to train that model on
       prepare.py held HELD.json OUT                   held-out text: OUT/val_LANG.bin and OUT/held_cases.json
       prepare.py pack OUT PROCS FIRST-END SHARD...    rows of each epoch, OUT/rows_E.bin, then OUT/rows_E.ok

A row is ROW tokens (uint16): whole documents packed by first fit, never split, the rest filled with end-of-text. A
document is a piece of a file under its path's header, most of them cut for fill-in-the-middle where people type; the
tokens of the hole and its end carry the bit HOLE. An epoch may be a part of the shards, packed when it has arrived.
"""
import collections, json, lzma, multiprocessing, os, random, subprocess, sys, time

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|fim_end|>",
           "<|user|>", "<|assistant|>", "<think>", "</think>", "<|tool|>"]
EOT, PRE, SUF, MID, SEP, END = range(6)
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
HOLE = 1 << 15  # Tokens that a suggestion would have to write.
ROW = 2050  # The sequence and two tokens more: the next token's target and the MTP block's.
FIM_SHARE, SUFFIX_FIRST_SHARE, PEER_SHARE = 0.8, 0.9, 0.3
SAMPLE = {"c": 40e6, "python": 22e6, "cpp": 11e6, "go": 6e6, "typescript": 6e6, "javascript": 4e6, "shell": 3e6, "rust": 4e6}
tokenizer = None


def lines_of(path):
    """Of a shard, plain or compressed (by xz, or by zstd, which must be on the PATH then)."""
    if path.endswith(".zst"):
        with subprocess.Popen(["zstd", "-dc", path], stdout=subprocess.PIPE) as p: yield from p.stdout
    else:
        with (lzma.open if path.endswith(".xz") else open)(path, "rb") as f: yield from f


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
    global tokenizer
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer.from_file(out + "/tokenizer.json")


def encode(text): return tokenizer.encode(text, add_special_tokens=False).ids


def pieces(text, rng):
    """Cuts a file at line ends into pieces of about a drawn size."""
    limit = rng.choice([1200, 2500, 4500, 5800, 5800])
    current, size = [], 0
    for line in text.splitlines(keepends=True):
        current.append(line); size += len(line)
        if size > limit:
            yield "".join(current)
            current, size = [], 0
    if size > 150: yield "".join(current)


def indent_of(line): return len(line) - len(line.lstrip(" \t"))


def block_end(lines, i):
    """The first line after those that belong under line i by indentation."""
    j = i + 1
    while j < len(lines) and (not lines[j].strip() or indent_of(lines[j]) > indent_of(lines[i])): j += 1
    return j


def line_cut(text, begin, indent, end, rng):
    """Where in a line somebody stops to look for help: anywhere, but more often at a word's start or after an operator."""
    if end - begin <= indent: return end
    cut = begin + rng.randrange(indent, end - begin)
    if rng.random() < 0.35:
        while cut < end and (text[cut].isalnum() or text[cut] == "_"): cut += 1
        while cut < end and not (text[cut].isalnum() or text[cut] == "_") and rng.random() < 0.7: cut += 1
    return cut


def middle(text, rng):
    """Draws the hole [begin, end) of a fill-in-the-middle document."""
    lines = text.splitlines(keepends=True)
    offsets = np.cumsum([0] + [len(l) for l in lines]).tolist()
    for _ in range(8):  # A line with something on it teaches more.
        i = rng.randrange(len(lines))
        if len(lines[i].strip()) > 3: break
    line = lines[i].rstrip("\n"); indent = indent_of(line); begin = offsets[i]; end = begin + len(line)
    cut, kind = line_cut(text, begin, indent, end, rng), rng.random()
    if kind < 0.52:  # the rest of a line; the closers may have been typed already by the editor
        if rng.random() < 0.3:
            while end > cut and text[end - 1] in ")]};:,'\"": end -= 1
        return cut, end
    if kind < 0.60:  # the rest of a line and some lines more
        j = min(len(lines), i + 1 + rng.choice([1, 1, 2, 2, 3, 5, 8]))
        return cut, max(cut, offsets[j] - 1)
    if kind < 0.87:  # whole lines
        j = min(len(lines), i + rng.choice([1, 1, 1, 1, 1, 2, 2, 3, 4, 6, 9]))
        a = begin if rng.random() < 0.25 else begin + indent
        return a, max(a, offsets[j] - 1)
    if kind < 0.95:  # the body under a line
        j = block_end(lines, i)
        if i + 1 < j and offsets[j] - offsets[i + 1] < 2500: return offsets[i + 1] - (rng.random() < 0.5), offsets[j] - 1
    if kind < 0.97: return end, end  # nothing is missing
    a = rng.randrange(len(text))
    return a, min(len(text), a + int(rng.expovariate(1 / 150)))


def document(text, head, rng):
    """One document's tokens, at most ROW: the suffix gives way first, then the prefix's start."""
    if rng.random() >= FIM_SHARE: return (head + encode(text) + [EOT])[:ROW]
    a, b = middle(text, rng); b = max(a, b)
    prefix, hole, suffix = encode(text[:a]), encode(text[a:b]), encode(text[b:])
    over = len(head) + len(prefix) + len(hole) + len(suffix) + 6 - ROW
    if over > 0:
        cut = min(over, max(0, len(suffix) - 64)); suffix = suffix[:len(suffix) - cut]; over -= cut
        if over > 0: prefix = prefix[over:]
    hole = [t | HOLE for t in hole + [END]]
    if rng.random() < SUFFIX_FIRST_SHARE: ids = head + [PRE, SUF] + suffix + [MID] + prefix + hole
    else: ids = head + [PRE] + prefix + [SUF] + suffix + [MID] + hole
    return (ids + [EOT])[:ROW]


def header(row, peers, text, rng):
    """The path's header, before it sometimes a piece of another file of the package, as the server's prompt has it."""
    head = [SEP] + encode(row["path"] + "\n")
    if len(peers) < 2 or rng.random() >= PEER_SHARE or len(text) > 5000: return head
    peer = rng.choice(peers)
    if peer is row: return head
    start = rng.randrange(max(1, len(peer["text"]) - 600)); start = peer["text"].find("\n", start) + 1
    return [SEP] + encode(peer["path"] + "\n" + peer["text"][start:start + rng.choice([300, 600, 1200])] + "\n") + head


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
    rng = random.Random(seed); documents, peers = [], collections.defaultdict(list)
    for row in rows: peers[row["pkg"]].append(row)
    for row in rows:
        for text in pieces(row["text"], rng):
            head = header(row, peers[row["pkg"]], text, rng)
            if len(head) < 900: documents.append(document(text, head, rng))
    rng.shuffle(documents); bins = []
    for i in range(0, len(documents), 400): bins += packed(documents[i:i + 400])
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
    """Held-out text by language, as plain documents, and the holes that the trainer scores by teacher forcing."""
    load_tokenizer(out); rng = random.Random(7); ids = collections.defaultdict(list); size = collections.Counter(); cases = []
    rows = json.load(open(path)); rng.shuffle(rows)
    for row in rows:
        ids[row["lang"]] += [SEP] + encode(row["path"] + "\n" + row["text"]) + [EOT]; size[row["lang"]] += len(row["text"].encode())
        cases += held_cases(row, rng)
    meta = {}
    for lang, tokens in ids.items():
        if len(tokens) < 20000: continue
        np.array(tokens, dtype=np.uint16).tofile(f"{out}/val_{lang}.bin"); meta[lang] = size[lang] / len(tokens)
    json.dump(meta, open(out + "/val_bytes_per_token.json", "w")); json.dump(cases[:2400], open(out + "/held_cases.json", "w"))
    print("bytes a token", meta, "cases", len(cases))


def held_cases(row, rng):
    lines = row["text"].splitlines(keepends=True); text = row["text"]
    if len(lines) < 20 or row["lang"] not in ("c", "python", "cpp"): return
    for kind in ("rest", "line", "rest", "line"):
        i = rng.randrange(5, len(lines)); line = lines[i].rstrip("\n"); body = line.strip()
        if len(body) < 8 or body.startswith(("#", "//", "*", "/*", '"""')): continue
        begin = sum(map(len, lines[:i])); end = begin + len(line)
        a = begin + indent_of(line) + (0 if kind == "line" else max(1, int(len(body) * rng.uniform(0.2, 0.8))))
        prefix, suffix, hole = encode(text[max(0, a - 3500):a]), encode(text[end:end + 1500]), encode(text[a:end])
        yield {"lang": row["lang"], "kind": kind, "target": hole + [END],
               "prompt": [SEP] + encode(row["path"] + "\n") + [PRE, SUF] + suffix + [MID] + prefix}


def main():
    command, rest = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if command == "vocabulary" and len(rest) == 2: model_tokenizer(*rest)
    elif command == "tokenizer" and len(rest) == 3: train_tokenizer(rest[0], int(rest[1]), rest[2])
    elif command == "held" and len(rest) == 2: held(*rest)
    elif command == "pack" and len(rest) > 3: pack(rest[0], int(rest[1]), range(*map(int, rest[2].split("-"))), rest[3:])
    else: sys.exit(__doc__)


if __name__ == "__main__": main()
