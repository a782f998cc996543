"""Bugs of many kinds, planted into a function's text: what people get wrong, not only single characters.

Every kind is a function that yields changed texts; tests decide later which of them are bugs. One function gets bugs of
different kinds, and some get two at once."""
import re

SIMPLE = {
    "comparison": [(r"<=", "<"), (r">=", ">"), (r"(?<![<>=!\-])<(?![=<])", "<="), (r"(?<![<>=!\-])>(?![=>])", ">="), (r"(?<![<>=!\-])<(?![=<])", ">"), (r"(?<![<>=!\-])>(?![=>])", "<"), (r"==", "!="), (r"!=", "==")],
    "logic": [(r"&&", "||"), (r"\|\|", "&&"), (r"\band\b", "or"), (r"\bor\b", "and"), (r"\bnot (?!in\b)", ""), (r"(?<=[ (])!(?=[a-z(])", ""), (r"\bnot in\b", "in"), (r"\btrue\b", "false"), (r"\bTrue\b", "False"), (r"\bfalse\b", "true"), (r"\bFalse\b", "True")],
    "arithmetic": [(r"(?<= )\+(?= )", "-"), (r"(?<= )-(?= )", "+"), (r"(?<= )\*(?= )", "+"), (r"(?<= )%(?= )", "/"), (r"(?<= )/(?= )", "%"), (r"//", "/"), (r"\+=", "="), (r"\+=", "-="), (r"-=", "+="), (r"\*=", "="), (r"\|=", "="),
                   (r"(?<= )&(?= )", "|"), (r"(?<= )\|(?= )", "&"), (r"<<", ">>"), (r">>", "<<"), (r"(?<= )\^(?= )", "|"), (r"~", "")],
    "constant": [(r"(?<![\w.'])0(?![\w.'])", "1"), (r"(?<![\w.'])1(?![\w.'])", "0"), (r"(?<![\w.'])1(?![\w.'])", "2"), (r"(?<![\w.'])([2-9]|[1-9]\d+)(?![\w.'])", lambda m: str(int(m.group(1)) + 1)), (r"(?<![\w.'])([2-9]|[1-9]\d+)(?![\w.'])", lambda m: str(int(m.group(1)) - 1)),
                 (r"'a'", "'A'"), (r"'A'", "'a'"), (r"'9'", "'8'"), (r"'z'", "'y'"), (r"'0'", "'1'"), (r"-1\b", "0"), (r"0x[0-9a-fA-F]{2,}", lambda m: m.group(0)[:-1] + ("7" if m.group(0)[-1] in "fF" else "f"))],
    "bound": [(r"\bi = 0\b", "i = 1"), (r"\bi = 1\b", "i = 0"), (r"\bn - 1\b", "n"), (r"(?<=< )n\b(?! -)", "n - 1"), (r" \+ 1\b", ""), (r" - 1\b", ""), (r"\[(\w+)\]", r"[\1 + 1]"), (r"\+\+", "--"), (r"--", "++"), (r"range\(len\((\w+)\)\)", r"range(len(\1) - 1)"), (r"range\(len\((\w+)\)\)", r"range(1, len(\1))"),
              (r"range\((\w+)\)", r"range(1, \1)"), (r"range\((\w+)\)", r"range(\1 + 1)"), (r"range\(([^,()]+), ([^,()]+)\)", r"range(\1, \2 - 1)"), (r"range\(([^,()]+), ([^,()]+)\)", r"range(\2)"), (r", -1\)", ")"), (r"\[1:\]", "[:]"), (r"\[::-1\]", ""), (r"\[:-1\]", "[:]"), (r":(\w+)\]", r":\1 - 1]"), (r"i \+ (\w+)", "i")],
    "call": [(r"\bmin\(", "max("), (r"\bmax\(", "min("), (r"\.(lower|upper|strip|rstrip|lstrip|copy|sort|reverse|title|casefold)\(\)", ""), (r"\bsorted\(([^()]*(?:\([^()]*\))?[^()]*)\)", r"\1"), (r"\b(?:abs|list|int|tuple|set|str)\((\w[\w.\[\]]*)\)", r"\1"), (r"\(([^(),]+), ([^(),]+)\)", r"(\2, \1)"), (r"\bto(?:lower|upper)\(([^()]*(?:\([^()]*\))?[^()]*)\)", r"\1"),
             (r"\btolower\b", "toupper"), (r"\bappend\(", "extend(["[:0] + "append("), (r"\bupdate\(", "update("), (r", reverse=True", ""), (r", key=[^,()]+(\([^()]*\))?", ""), (r"\.get\((\w+), [^()]+\)", r"[\1]"), (r"\.items\(\)", ""), (r"\bstartswith\b", "endswith"), (r"\bfind\(", "rfind("), (r"\(unsigned char\)", ""), (r", 1\)", ")"), (r"\bextend\(", "append("), (r"\bpop\(0\)", "pop()"), (r"\bpop\(\)", "pop(0)"), (r"\bisalnum\b", "isalpha"), (r"\bisalpha\b", "isalnum")],
    "condition": [(r"if \((.+?) && (.+)\)$", r"if (\1)"), (r"if \((.+?) && (.+)\)( return.*| continue;| break;|)( \{)?$", r"if (\2)\3\4"), (r"if \((.+) \|\| (.+?)\)( return.*| continue;| break;|)( \{)?$", r"if (\1)\3\4"), (r"if \((.+?) \|\| (.+)\)( return.*| continue;| break;|)( \{)?$", r"if (\2)\3\4"),
                  (r"if \((.+?) && (.+)\)( return.*| continue;| break;|)( \{)?$", r"if (\1)\3\4"), (r"\bif (.+?) and (.+):$", r"if \1:"), (r"\bif (.+?) and (.+):$", r"if \2:"), (r"\bif (.+?) or (.+):$", r"if \1:"), (r"\bif (.+?) or (.+):$", r"if \2:"), (r"while \((.+?) && (.+)\)( \{)?$", r"while (\1)\3"), (r"while \((.+?) && (.+)\)( \{)?$", r"while (\2)\3"), (r"\bwhile (.+?) and (.+):$", r"while \2:"), (r"\belse if \(", "if ("), (r"\belif\b", "if"),
                  (r"\bif not (.+):$", r"if \1:"), (r"\bif \(!(.+)\)$", r"if (\1)"), (r"\bcontinue\b", "break"), (r"\bbreak\b", "continue"), (r"return (.+?) && (.+);$", r"return \1;"), (r"return (.+?) && (.+);$", r"return \2;"), (r"return (.+?) \|\| (.+);$", r"return \1;"), (r"return (.+?) and (.+)$", r"return \1"), (r"return (.+?) or (.+)$", r"return \1")],
    "operand": [(r"return (.+?) [+-] (.+);$", r"return \1;"), (r"return (.+?) \+ (.+)$", r"return \1"), (r"return (.+?) \+ (.+);$", r"return \2;"), (r"= (\w+) [+*] (\w+)(;?)$", r"= \1\3"), (r" \+ carry\b", ""), (r" \+ (\w+)\b(?! [*/%])", ""), (r" % (\w+)\b", ""), (r"\? (.+?) : ([^;]+);", r"? \2 : \1;"), (r"= (.+) if (.+) else (.+)$", r"= \3 if \2 else \1"), (r"return (.+) if (.+) else (.+)$", r"return \3 if \2 else \1"), (r"\((\w+) - (\w+)\)", r"(\2 - \1)"), (r"\b(\w+) - (\w+)\b", r"\2 - \1"), (r"(\w+) / (\w+)", r"\2 / \1")],
}
STATEMENT = r"\s+[\w.\->\[\]\(\)*+ ,]+? ?(?:[-+*/|&^%]?=(?!=) ?.*|\+\+|--|\(.*\));?$"
GUARD = r"\s+(?:\} )?if\b.*\b(?:return|continue|break)\b.*$"


def simple(lines, kind):
    for pattern, replacement in SIMPLE[kind]:
        for i, line in enumerate(lines):
            if line.strip().startswith(("//", "#", '"""', "/*", "*")): continue
            for m in re.finditer(pattern, line):
                yield lines[:i] + [line[:m.start()] + m.expand(replacement if isinstance(replacement, str) else replacement(m)) + line[m.end():]] + lines[i + 1:]


def depth(line): return len(line) - len(line.lstrip())


def block_end(lines, i):
    """One past the last line that belongs to the statement of line i."""
    j = i + 1
    while j < len(lines) and (not lines[j].strip() or depth(lines[j]) > depth(lines[i])): j += 1
    if j < len(lines) and lines[j].strip() == "}" and depth(lines[j]) == depth(lines[i]): j += 1
    while j > i + 1 and not lines[j - 1].strip(): j -= 1
    return j


def removals(lines, kind):
    """Statements, guards and whole blocks that somebody forgot."""
    for i, line in enumerate(lines):
        text = line.strip()
        if not text or text.startswith(("//", "#", '"""', "else", "}", "{", "def ", "return", "for ", "while ")): 
            if kind == "block" and text.startswith(("for ", "while ", "else", "} else")) and len(lines) > 4:
                j = block_end(lines, i)
                if j - i > 1: yield (lines[:i] + ([line[:depth(line)] + "}"] if text.startswith("}") and lines[j - 1].strip() != "}" else []) + lines[j:]) if not text.startswith("}") else lines[:i] + lines[j - 1:]
            continue
        j = block_end(lines, i)
        if kind == "guard" and text.startswith("if") and j - i <= 3 and re.search(r"\b(return|continue|break|raise)\b", "\n".join(lines[i:j])): yield lines[:i] + lines[j:]
        if kind == "statement" and j == i + 1 and re.match(STATEMENT, line) and not re.match(r"\s+(const )?(int|char|bool|unsigned|size_t|long|uint32_t|uint8_t|struct \w+|[A-Z]\w+)\b", line): yield lines[:i] + lines[j:]
        if kind == "block" and text.startswith("if") and j - i > 1: yield lines[:i] + lines[j:]
        if kind == "block" and text.startswith("if") and j - i > 1 and text.endswith(":"): yield lines[:i] + [l[4:] for l in lines[i + 1:j]] + lines[j:]


def moves(lines):
    """A return too early, an update too late, two statements in the wrong order, a branch's two sides."""
    for i in range(len(lines) - 1):
        a, b = lines[i], lines[i + 1]
        if re.match(STATEMENT, a) and re.match(STATEMENT, b) and depth(a) == depth(b) and "int " not in a: yield lines[:i] + [b, a] + lines[i + 2:]
        if b.strip().startswith("return") and depth(b) < depth(a) and not b.strip().startswith("return;"): yield lines[:i + 1] + [" " * depth(a) + b.strip()] + lines[i + 2:] if b.strip().endswith(";") is False else lines
        if b.strip() in ("else", "else:", "} else {") and i > 0 and i + 2 < len(lines):
            yield lines[:i] + [lines[i + 2], b, a] + lines[i + 3:]


def names_of(text, language):
    if language == "python": found = re.findall(r"\b([a-z_]\w*) (?:[-+*/|]?=(?!=)|in\b)", text) + re.findall(r"[(,] ?([a-z_]\w*)(?=[,)=])", text.split("\n")[0] if text.startswith("def") else text[text.index("def "):].split("\n")[0])
    else: found = re.findall(r"\b(?:int|char|unsigned|size_t|long|bool|uint32_t|uint8_t)(?: \*?|\s)\*?([a-z_]\w*)\b(?!\()", text) + re.findall(r", ([a-z_]\w*) = ", text)
    return sorted(set(found) - {"self", "const"})


def wrong_names(text, lines, language, rng):
    names = names_of(text, language)
    places = [(i, m) for i, line in enumerate(lines) if not line.strip().startswith(("//", "#", '"""')) for m in re.finditer(r"\b(%s)\b(?!\()" % "|".join(map(re.escape, names)), line)] if len(names) > 1 else []
    rng.shuffle(places)
    for i, m in places[:12]:
        if re.match(r"\s*(int|char|unsigned|size_t|long|bool|uint32_t|const)\b", lines[i]) and m.start() < lines[i].find("="): continue
        other = rng.choice([n for n in names if n != m.group(1)])
        yield lines[:i] + [lines[i][:m.start()] + other + lines[i][m.end():]] + lines[i + 1:]


KINDS = [*SIMPLE, "guard", "statement", "block", "order", "name"]


def body_start(lines, language):
    """The first line of the body: what stands above is the comment and the signature."""
    if language == "c": return next(i for i, line in enumerate(lines) if line == "{") + 1
    i = next(i for i, line in enumerate(lines) if line.lstrip().startswith("def ")) + 1
    if i < len(lines) and '"""' in lines[i]:
        if lines[i].count('"""') < 2: i = next(j for j in range(i + 1, len(lines)) if '"""' in lines[j])
        i += 1
    return i


def changes(text, language, kind, rng):
    """Texts of one kind of change, in random order."""
    lines = text.split("\n"); start = body_start(lines, language); head, body = lines[:start], lines[start:]
    if kind in SIMPLE: found = simple(body, kind)
    elif kind in ("guard", "statement", "block"): found = removals(body, kind)
    elif kind == "order": found = moves(body)
    else: found = wrong_names(text, body, language, rng)
    found = ["\n".join(head + b) for b in found if b != body]
    found = [f if language == "c" or "\n".join(f.split("\n")[start:]).strip() else f + "    pass\n" for f in found]
    rng.shuffle(found)
    return list(dict.fromkeys(found))


def bugs(text, language, rng, limit):
    """(kind, text): kinds in turn, each bug another text; about one in six holds two bugs."""
    by_kind = {kind: changes(text, language, kind, rng) for kind in KINDS}; order = [k for k in KINDS if by_kind[k]]; rng.shuffle(order)
    seen, out = {text}, []
    while order and len(out) < limit:
        for kind in list(order):
            if not by_kind[kind]: order.remove(kind); continue
            bug = by_kind[kind].pop()
            if rng.random() < 0.17:
                try: second = changes(bug, language, rng.choice(KINDS), rng)
                except (ValueError, StopIteration, IndexError): second = []
                if second: kind, bug = kind + " and another", second[0]
            if bug not in seen: seen.add(bug); out.append((kind, bug))
    return out[:limit]
