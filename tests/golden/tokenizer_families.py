#!/usr/bin/env python3
"""Token ids of every tokenizer family on tests/golden/texts.txt, by the reference implementations.

The references are the packages `tokenizers` (Hugging Face) and `sentencepiece`.

    tokenizer_families.py texts                              writes texts.txt (from this repository's own files)
    tokenizer_families.py vocab PRE TOKENIZER.json OUT.gguf  a file of a vocabulary alone, for r1ls
    tokenizer_families.py write NAME=OUT.gguf[+TOKENIZER.json] ...   writes families.json
    tokenizer_families.py spm                                trains small SentencePiece models and writes spm.json
    tokenizer_families.py compare DUMP_PROGRAM NAME=OUT.gguf[+TOKENIZER.json] ...
    tokenizer_families.py vectors DUMP_PROGRAM FOLDER        llama.cpp's own texts and ids (get_vocabs.sh)

With a TOKENIZER.json the reference is that file as it was published. Without one it is built from the GGUF's
tokens and merges with the published expressions, or for SentencePiece from its tokens and scores. DUMP_PROGRAM is
tests/bench/dump_ids. The test looks for NAME.gguf in the folder $R1LS_VOCABS and among the installed models.

Qwen's tokenizer.json composes a text first (NFC); r1ls keeps the bytes that it is given. So `compare` composes the texts
for both sides where a reference does so, and `write` takes that step out of the reference.
"""
import json
import pathlib
import random
import struct
import subprocess
import sys
import unicodedata

from make_tokenizer_golden import AWKWARD, EXPRESSIONS

HERE = pathlib.Path(__file__).parent
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


# --- GGUF -----------------------------------------------------------------------------------------------------------

def read_gguf(path):
    """The keys of a file and their values; strings as bytes."""
    data = memoryview(pathlib.Path(path).read_bytes())
    at = 8

    def scalar(form):
        nonlocal at
        at += struct.calcsize("<" + form)
        return struct.unpack_from("<" + form, data, at - struct.calcsize("<" + form))[0]

    def text():
        nonlocal at
        n = scalar("Q")
        at += n
        return bytes(data[at - n:at])

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            elem, n = scalar("I"), scalar("Q")
            return [value(elem) for _ in range(n)]
        return scalar(SCALARS[kind])

    scalar("Q")
    keys = {}
    for _ in range(scalar("Q")):
        key = text().decode()
        kind = scalar("I")
        keys[key] = value(kind)
    return keys


def write_gguf(path, pairs):
    """pairs: (key, type, value) with type "s", "i", "?" or a list of one of "s", "i", "f"."""
    def text(s):
        return struct.pack("<Q", len(s)) + s

    codes = {"s": 8, "i": 5, "f": 6, "?": 7}
    out = b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs))
    for key, kind, value in pairs:
        out += text(key.encode())
        if isinstance(kind, list):
            code = codes[kind[0]]
            out += struct.pack("<IIQ", 9, code, len(value))
            out += b"".join(text(v) if code == 8 else struct.pack("<" + kind[0], v) for v in value)
        else:
            out += struct.pack("<I", codes[kind]) + (text(value) if kind == "s" else struct.pack("<" + kind, value))
    pathlib.Path(path).write_bytes(out + b"\0" * (-len(out) % 32))


def write_vocab(pre, source, path):
    """A byte-level BPE tokenizer.json as a vocabulary, typed as llama.cpp's converter does."""
    spec = json.loads(pathlib.Path(source).read_text())
    texts = {i: t for t, i in spec["model"]["vocab"].items()}
    added = {a["id"]: a for a in spec["added_tokens"]}
    texts.update({i: a["content"] for i, a in added.items()})
    kinds = []
    for i in range(len(texts)):
        looks = texts[i].startswith(("<|", "<\uff5c")) and texts[i].endswith(("|>", "\uff5c>"))
        kinds.append(NORMAL if i not in added else CONTROL if added[i]["special"] or looks else USER)
    merges = [m if isinstance(m, str) else " ".join(m) for m in spec["model"]["merges"]]
    write_gguf(path, [("tokenizer.ggml.model", "s", b"gpt2"), ("tokenizer.ggml.pre", "s", pre.encode()),
                      ("tokenizer.ggml.tokens", ["s"], [texts[i].encode() for i in range(len(texts))]),
                      ("tokenizer.ggml.token_type", ["i"], kinds),
                      ("tokenizer.ggml.merges", ["s"], [m.encode() for m in merges])])


# --- references -----------------------------------------------------------------------------------------------------

def composes(source):
    return bool(source) and json.loads(pathlib.Path(source).read_text()).get("normalizer") == {"type": "NFC"}


def byte_level_reference(keys, source):
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers
    if source:
        spec = json.loads(pathlib.Path(source).read_text())
        if composes(source):
            spec["normalizer"] = None
        tokenizer = Tokenizer.from_str(json.dumps(spec))
        return lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    pre = keys["tokenizer.ggml.pre"].decode()
    tokens = [t.decode() for t in keys["tokenizer.ggml.tokens"]]
    merges = [tuple(m.decode().split(" ", 1)) for m in keys["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges, ignore_merges=pre == "llama-bpe"))
    passes = [pre_tokenizers.Split(Regex(e), "isolated") for e in EXPRESSIONS[pre]]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*passes, byte_level])
    for token, kind in zip(tokens, keys["tokenizer.ggml.token_type"]):
        if kind in (CONTROL, USER):
            tokenizer.add_tokens([AddedToken(token, normalized=False, special=kind == CONTROL)])
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def sentencepiece_reference(keys):
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    model = sentencepiece_model_pb2.ModelProto()
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = bool(keys.get("tokenizer.ggml.add_space_prefix", True))
    model.normalizer_spec.remove_extra_whitespaces = False
    for token, score, kind in zip(keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.scores"],
                                  keys["tokenizer.ggml.token_type"]):
        model.pieces.add(piece=token.decode(), score=score, type=kind)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    return lambda text: processor.encode(text)


def open_reference(arg):
    name, files = arg.split("=", 1)
    path, _, source = files.partition("+")
    keys = read_gguf(path)
    spm = keys["tokenizer.ggml.model"] == b"llama"
    return name, path, spm, sentencepiece_reference(keys) if spm else byte_level_reference(keys, source)


# --- texts ----------------------------------------------------------------------------------------------------------

SCRIPTS = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF),
           (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x2000, 0x206F), (0x20A0, 0x20BF), (0x2190, 0x22FF),
           (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0x9F00, 0x9FFF), (0xAC00, 0xAFFF), (0xFF00, 0xFFEF), (0x1F300, 0x1F6FF),
           (0x10400, 0x1044F), (0x1D400, 0x1D4FF), (0x20000, 0x200FF), (0xE000, 0xE0FF)]


def mixed_line(rng):
    """Words of several scripts with odd white space between them."""
    out = ""
    for _ in range(rng.randint(2, 12)):
        low, high = rng.choice(SCRIPTS)
        out += "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 7)))
        out += rng.choice(["", "", " ", " ", "  ", "\t", "\u00a0", "\u3000", ".", "12", "'s", "e\u0301", "\u200d", "   "])
    return out + rng.choice(["\n", "\n", "\n", " \n", "\r\n", "\t\r\n", "\r\r\n", "\u2028\n", "\n"])


def make_texts():
    rng = random.Random(4)
    root = HERE.parent.parent
    lines = []
    for pattern in ("engine/*.c", "src/*/*.c", "lsp/*.c", "tests/*/*.py", "editors/*/*.js", "docs/*.md", "dev"):
        for path in sorted(root.glob(pattern)):
            with open(path, encoding="utf-8", newline="") as f:
                lines += [l for l in f.read().splitlines(keepends=True) if l.strip() and len(l) < 160]
    code = rng.sample(lines, 1500)
    code = [l.replace("\n", "\r\n") if i % 10 == 0 else "\t" + l if i % 10 == 1 else l for i, l in enumerate(code)]
    blocks = [t.replace("\n", "\r") + "\n" for t in AWKWARD]
    return code + blocks + [mixed_line(rng) for _ in range(700)]


def read_texts():
    """Every line, the whole, and the whole without its line ends: one very long line."""
    whole = (HERE / "texts.txt").read_bytes().decode()
    lines = [l + "\n" for l in whole.split("\n")[:-1]]
    return lines + [whole, whole.replace("\n", ""), "a" * 5000 + " " * 5000 + "\u65e5\u672c" * 2000 + "9" * 3000]


def hash_ids(ids, seed):
    """FNV-1a over the ids as 32-bit little-endian numbers, and one more for the end of a text."""
    for i in [*ids, 0xFFFFFFFF]:
        for byte in struct.pack("<I", i):
            seed = (seed ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return seed


def write(args):
    path = HERE / "families.json"
    known = {f["name"]: f for f in json.loads(path.read_text())} if path.exists() else {}
    for arg in args:
        name, _, spm, encode = open_reference(arg)
        n, seed = 0, 0xCBF29CE484222325
        for text in read_texts():
            ids = encode(text)
            n += len(ids)
            seed = hash_ids(ids, seed)
        known[name] = {"name": name, "parse_special": not spm, "n_ids": n, "hash": "%016x" % seed}
        print(known[name])
    rows = ",\n".join(json.dumps(known[k]) for k in sorted(known))
    path.write_text("[" + rows + "]\n")


def ask(program, path, mode, texts):
    """The ids of each text by r1ls."""
    packed = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
    lines = subprocess.run([program, path, mode], input=packed, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    return [[int(i) for i in line.split(",") if i] for line in lines[:len(texts)]]


def compare_vectors(program, folder):
    n_bad = 0
    for path in sorted(pathlib.Path(folder).glob("*.inp")):
        texts = path.read_bytes().decode().split("\n__ggml_vocab_test__\n")[:-1]
        wanted = [[int(i) for i in line.split()] for line in path.with_suffix(".out").read_text().split("\n")]
        bad = sum(a != b for a, b in zip(ask(program, path.with_suffix(".gguf"), "special", texts), wanted))
        print(f"{path.stem}: {len(texts)} of llama.cpp's texts, {bad} differ")
        n_bad += bad
    return n_bad != 0


def compare(program, args):
    n_bad = 0
    for arg in args:
        name, path, spm, encode = open_reference(arg)
        texts = read_texts()
        source = arg.partition("+")[2]
        if composes(source):  # the reference as it was published
            from tokenizers import Tokenizer
            texts = [unicodedata.normalize("NFC", t) for t in texts]
            published = Tokenizer.from_file(source)
            encode = lambda text: published.encode(text, add_special_tokens=False).ids  # noqa: E731
        bad = 0
        for text, ours in zip(texts, ask(program, path, "plain" if spm else "special", texts), strict=True):
            wanted = encode(text)
            if ours == wanted:
                continue
            bad += 1
            at = next((i for i, (a, b) in enumerate(zip(ours, wanted)) if a != b), min(len(ours), len(wanted)))
            if bad < 6:
                print("differs:", repr(text[:120]), "at", at, ours[at:at + 6], wanted[at:at + 6])
        print(f"{name}: {len(texts)} texts, {bad} differ")
        n_bad += bad
    return n_bad != 0


# --- small SentencePiece models ---------------------------------------------------------------------------------------

def train_spm(prefix, unused):
    """One that fits into the repository: all bytes, some user-defined tokens, some that only lead to others."""
    import io

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    out = io.BytesIO()
    lines = (HERE / "texts.txt").read_text().split("\n")[:1500]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="bpe", vocab_size=600, byte_fallback=True,
        character_coverage=0.99, normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=prefix, user_defined_symbols=["<user>", "->", "\u2581" * 4], minloglevel=2)
    model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    merged = [p for p in model.pieces if p.type == NORMAL and len(p.piece) > 1]
    for piece in merged[5:5 + 4 * unused:4]:
        piece.type = UNUSED
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    texts = [*AWKWARD, "<user>a", "a<user> b->c", "  <user>", "        x->y;", "<s>a</s>", "<0x41>", "\u2581a \u2581"]
    texts += (HERE / "texts.txt").read_text().split("\n")[::20]
    return {"add_space_prefix": prefix, "tokens": [p.piece for p in model.pieces],
            "scores": [p.score for p in model.pieces], "kinds": [p.type for p in model.pieces],
            "cases": [{"text": t, "ids": processor.encode(t)} for t in texts]}


def main():
    command, *args = sys.argv[1:]
    if command == "texts":
        (HERE / "texts.txt").write_bytes("".join(make_texts()).encode())
    elif command == "vocab":
        write_vocab(*args)
    elif command == "write":
        write(args)
    elif command == "spm":
        models = [train_spm(True, 10), train_spm(False, 0)]
        (HERE / "spm.json").write_text(json.dumps(models, separators=(",", ":")) + "\n")
    elif command == "vectors":
        return compare_vectors(*args)
    else:
        return compare(args[0], args[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
