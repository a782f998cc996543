"""Kinds of bugs: changes of a line or two of a function in C, C++ or Python that a person may have made by mistake.

candidates() yields those of a kind, in random order. Comments and strings stay as they are.
"""
import collections, re

LONGEST = 60  # lines of a function
CONTROL = re.compile(r"(if|for|while|switch|else|do|return|struct|union|enum|class|namespace|typedef|extern|try|catch|case|default)\b")
KEYWORDS = frozenset("""if else for while do switch case return break continue default goto sizeof typedef struct union enum class const static void int char long short unsigned signed float
double bool auto new delete this template typename using namespace public private protected virtual override try catch throw true false nullptr NULL operator extern inline register volatile def
elif in is not and or lambda None True False import from as with yield raise except finally pass assert global nonlocal del self cls async await print size_t ssize_t uint8_t uint16_t uint32_t
uint64_t int8_t int16_t int32_t int64_t std string vector""".split())
OPPOSITES = [p.split("/") for p in """min/max left/right first/last next/prev start/end begin/end row/col rows/cols width/height lower/upper startswith/endswith any/all floor/ceil find/rfind keys/values append/extend
popleft/pop add/remove push/pop head/tail low/high lo/hi src/dst in/out read/write x/y i/j a/b sum/max isalpha/isalnum isdigit/isalpha islower/isupper tolower/toupper front/back strcmp/strcasecmp lstrip/rstrip
insert/append enter/leave open/close get/set key/value top/bottom old/new parent/child size/capacity len/cap count/size source/target""".split()]
OTHER_WORD = collections.defaultdict(list)
for one, other in OPPOSITES: OTHER_WORD[one].append(other); OTHER_WORD[other].append(one)
KNOWN = frozenset(w for w in "min max lower upper startswith endswith any all floor ceil find rfind append extend popleft pop isalpha isalnum isdigit islower isupper tolower toupper lstrip rstrip sum add remove keys values".split())
QUOTED = {"python": re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|#.*'), "c": re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|//.*|/\*.*?(?:\*/|$)')}
TRIPLE = re.compile(r'"""|\'\'\'')
NAME = re.compile(r"(?<![\w.\"'])(?<!->)([A-Za-z_]\w*)\b(?!\s*\(|\s+\*?[A-Za-z_]\w*\s*[;=,)\[]|\s*=(?!=)[^;]*$|::|[\"'])")
CALLED, MEMBER = re.compile(r"\b([A-Za-z_]\w*)(?=\()"), re.compile(r"(?:(?<=\w\.)|(?<=[\])]\.)|(?<=->))([A-Za-z_]\w*)\b(?!\s*\()")
N, ATOM = r"(?<![\w.])", r"[A-Za-z_][\w.]*(?:\[[^\[\]]*\])?"
# Kinds that change a part of one line: its weight, and patterns with what they become; a pattern's language is the second letter of three ("c", "p" or "").
SIMPLE = {
    "boundary": (22, [(r"(?<= )<=(?= )", "<"), (r"(?<= )>=(?= )", ">"), (r"(?<= )<(?= )", "<="), (r"(?<= )>(?= )", ">=")]),
    "comparison": (9, [(r"(?<= )==(?= )", "!="), (r"(?<= )!=(?= )", "=="), (r"(?<= )<(?= )", ">"), (r"(?<= )>(?= )", "<"), (r"(?<= )<=(?= )", ">="), (r"(?<= )>=(?= )", "<="), (r"\bis not\b", "is"), (r"\bis (?!not)", "is not "), (r"\bnot in\b", "in"), (r"(?<=if )(\w+) in\b", r"\1 not in")]),
    "logic": (10, [(r"&&", "||"), (r"\|\|", "&&"), (r"\band\b", "or"), (r"\bor\b", "and")]),
    "negation": (7, [(r"\bnot (?!in\b)", ""), (r"(?<=[ (])!(?=[A-Za-z(])", ""), (r"\b(if|elif|while) (?!not\b)([\w.\[\]()]+):", r"\1 not \2:"), (r"\b(if|while) \((\w[\w.\->]*(?:\([^()]*\))?)\)", r"\1 (!\2)"), (r"\bTrue\b", "False"), (r"\bFalse\b", "True"), (r"\btrue\b", "false"), (r"\bfalse\b", "true")]),
    "operator": (7, [(r"(?<=[\w)\]] )\+(?= )", "-"), (r"(?<=[\w)\]] )-(?= )", "+"), (r"(?<=[\w)\]] )\*(?= )", "+"), (r"(?<=[\w)\]] )%(?= [\w(])", "/"), (r"(?<= )/(?= )", "%"), (r"(?<=\w )//(?= \w)", "/"), (r"(?<=[\w)\]] )&(?= )", "|"), (r"(?<= )\|(?= )", "&"), (r"(?<= )<<(?= )", ">>"), (r"(?<= )>>(?= )", "<<"), (r"(?<= )\^(?= )", "|"),
                     (r"\*\*", "*"), (r"(?<=[\w)\]] )/(?= )", "//"), (r"(?<=[\w)\]] )/(?= )", "*"), (r"(?<=[=(,] )-(?=\w)", ""), (r"(?<=return )-(?=\w)", "")]),
    "assignment": (6, [(r" \+= ", " = "), (r" \+= ", " -= "), (r" -= ", " += "), (r" \*= ", " = "), (r" \|= ", " = "), (r" \|= ", " &= "), (r"^\s+(\w+) = (?!\1\b)", "grow"), (r"\b(\w+) = \1 [+*-] ", r"\1 = "), (r"\+\+", "--"), (r"--(?!>)", "++")]),
    "number": (7, [(N + r"0(?![\w.])", "1"), (N + r"1(?![\w.])", "0"), (N + r"1(?![\w.])", "2"), (N + r"([2-9]|[1-9]\d+)(?![\w.])", "+1"), (N + r"([2-9]|[1-9]\d+)(?![\w.])", "-1"), (r"-1\b", "0"), (r"-1\b", "1"), (N + r"0x[0-9a-fA-F]*[fF](?![\w.])", "hex"), (r"'a'", "'A'"), (r"'0'", "'1'"), (r"'9'", "'8'")]),
    "start": (12, [(r"^(\s+(?:int |size_t |unsigned |long )?\w+) = 0(?=;|$)", r"\1 = 1"), (r"^(\s+(?:int |size_t |unsigned |long )?\w+) = 1(?=;|$)", r"\1 = 0"), (r"^(\s+(?:int |size_t |long )?\w+) = 0(?=;|$)", r"\1 = -1"), (r"(for \((?:int |size_t |unsigned )?\w+ = )0;", r"\g<1>1;"), (r"(for \((?:int |size_t |unsigned )?\w+ = )1;", r"\g<1>0;"), (r"^(\s+\w+) = \[\w+(?:\[0\])?\]$", r"\1 = []"), (r"^(\s+\w+) = (\w+)\[0\]", r"\1 = 0")]),
    "bound": (14, [(r" - 1\b(?!\.)", ""), (r" \+ 1\b(?!\.)", ""), (r" - 1\b", " + 1"), (r" \+ 1\b", " - 1"), (r"\[(\w+)\]", r"[\1 + 1]"), (r"\[(\w+)\]", r"[\1 - 1]"), (r"range\(len\((\w+)\)\)", r"range(len(\1) - 1)"), (r"range\(len\((\w+)\)\)", r"range(1, len(\1))"), (r"range\((\w+)\)", r"range(1, \1)"), (r"range\((\w+)\)", r"range(\1 + 1)"), (r"range\((\w+)\)", r"range(\1 - 1)"),
                    (r"range\(([^,()]+), ([^,()]+)\)", r"range(\1, \2 + 1)"), (r"range\(([^,()]+), ([^,()]+)\)", r"range(\1, \2 - 1)"), (r"range\(([^,()]+), ([^,()]+)\)", r"range(\2)"), (r"range\(1, ", "range(0, "), (r"range\((\w+), (\w+)\)", r"range(\1 + 1, \2)"), (r", -1\)", ")"), (r"\[1:\]", "[:]"), (r"\[:-1\]", "[:]"), (r"\[::-1\]", ""), (r"\[(\w+):\]", r"[\1 + 1:]"), (r"\[(\w+) \+ 1:\]", r"[\1:]"), (r"\[:(\w+)\]", r"[:\1 + 1]"), (r":(\w+)\]", r":\1 - 1]"), (r"\[-1\]", "[0]"), (r"\[0\]", "[-1]"), (r"\[0\]", "[1]"), (r"\[1\]", "[0]"),
                    (r"(; \w+ <=? )(\w[\w.\->]*);", r"\1\2 - 1;"), (r"(; \w+ < )(\w[\w.\->]*);", r"\1\2 + 1;"), (r"(; \w+ >) 0;", r"\1= 0;"), (r"(; \w+ >)= 0;", r"\1 0;"), (r"\bmalloc\(([^()]+) \+ 1\)", r"malloc(\1)"), (r"(?<=return )(?!true|false|null|self)([a-z]\w*)(?=;?$)", r"\1 + 1"), (r"(?<=return )(?!true|false|null|self)([a-z]\w*)(?=;?$)", r"\1 - 1")]),
    "index": (7, [(r"len\((\w+)\[0\]\)", r"len(\1)"), (r"len\((\w+)\)", r"len(\1[0])"), (r"(\w+)\[0\]", r"\1"), (r"(\w+)\[(\w+)\]\[(\w+)\]", r"\1[\3][\2]"), (r"(\w+)\[(\w+)\](?!\[)", r"\1"), (r"\*(\w+)(?= [=!<>]=? )", r"\1"), (r"\bsizeof\(\*(\w+)\)", r"sizeof(\1)"), (r"\bsizeof \*(\w+)", r"sizeof \1")]),
    "call": (12, [(r"\.(?:lower|upper|strip|rstrip|lstrip|copy|sort|reverse|casefold|items|keys|values)\(\)", ""), (r"\bsorted\(([^()]*(?:\([^()]*\))?[^()]*)\)", r"\1"), (r"\b(?:abs|list|int|tuple|set|str|len|float|bool)\((\w[\w.\[\]]*)\)", r"\1"), (r"\bto(?:lower|upper)\(([^()]*(?:\([^()]*\))?[^()]*)\)", r"\1"), (r", reverse=True", ""), (r", key=[^,()]+(?:\([^()]*\))?(?=\))", ""), (r"\.get\((\w+), [^()]+\)", r"[\1]"), (r"\.get\((\w+), 0\)", r".get(\1, 1)"), (r"\bpop\(0\)", "pop()"), (r"\bpop\(\)", "pop(0)"), (r"\(unsigned char\) ?", ""), (r"\bmin\(([^(),]+), [^(),]+\)", r"\1"), (r"\bmax\(([^(),]+), [^(),]+\)", r"\1"), (r"\bsum\((\w+)\)", r"len(\1)"), (r"\babs\(([^()]+)\)", r"(\1)")]),
    "arguments": (5, [(r"\b(?!min|max|range)\w+\(([^(),\"]+), ([^(),\"=]+)\)", r"swap"), (r"\b(\w+)\(([^(),]+), ([^(),]+), ([^(),]+)\)", r"\1(\2, \4, \3)"), (r"\b(\w+)\(([^(),]+), ([^(),]+), ([^(),]+)\)", r"\1(\3, \2, \4)"), (r"(?<=[(\[])(\w+) - (\w+)(?=[)\]])", r"\2 - \1"), (r"(?<=[=] )(\w+) - (\w+)(?=;|$)", r"\2 - \1"), (r"(?<=return )(\w+) - (\w+)(?=;|$)", r"\2 - \1"), (r"(?<=[ (])(\w+) / (\w+)", r"\2 / \1"), (r"\b(\w+) % (\w+)", r"\2 % \1")]),
    "condition": (20, [(r"\bif \((.+) && ([^&|]+)\)(?=( \{)?$| return| continue| break)", r"if (\1)"), (r"\bif \(([^&|]+?) && (.+)\)(?=( \{)?$| return| continue| break)", r"if (\2)"), (r"\bif \((.+) \|\| ([^&|]+)\)(?=( \{)?$| return| continue| break)", r"if (\1)"), (r"\bif \(([^&|]+?) \|\| (.+)\)(?=( \{)?$| return| continue| break)", r"if (\2)"),
                      (r"\bwhile \((.+) && ([^&|]+)\)(?=( \{)?$)", r"while (\1)"), (r"\bwhile \(([^&|]+?) && (.+)\)(?=( \{)?$)", r"while (\2)"), (r"\b(if|elif|while) (.+) (?:and|or) (.+):$", r"\1 \2:"), (r"\b(if|elif|while) (.+?) (?:and|or) (.+):$", r"\1 \3:"), (r"\breturn (.+) (?:&&|\|\|) ([^&|]+);$", r"return \1;"), (r"\breturn ([^&|]+?) (?:&&|\|\|) (.+);$", r"return \2;"), (r"\breturn (.+) (?:and|or) (.+)$", r"return \1"), (r"\breturn (.+?) (?:and|or) (.+)$", r"return \2"),
                      (r" if \w[^\[\]()]*(?=\]$)", "")]),
    "operand": (10, [(r"(?<=return )(.+) [+\-*] ([\w.\[\]]+)(?=;?$)", r"\1"), (r"(?<=return )([\w.\[\]]+) [+\-*] (.+)(?=;?$)", r"\2"), (r"(?<= = )(.+) [+\-*%] ([\w.\[\]]+)(?=;?$)", r"\1"), (r"(?<= = )([\w.\[\]]+) [+\-*] (.+)(?=;?$)", r"\2"), (r" [+*%] (\w+)(?=[)\];])", ""), (r"\? ([^:?]+) : ([^;:?)]+)", r"? \2 : \1"), (r"(?<= = )(.+) if (.+) else (.+)$", r"\3 if \2 else \1"), (r"(?<=return )(.+) if (.+) else (.+)$", r"\3 if \2 else \1")]),
    "returned": (7, [(r"return (?:\w+)(?=;?$)", "name"), (r"return True$", "return False"), (r"return False$", "return True"), (r"return 0;$", "return 1;"), (r"return 1;$", "return 0;"), (r"return -1(?=;?$)", "return 0"), (r"return 0(?=;?$)", "return -1"), (r"return \[\]$", "return None"), (r"return (\w+), (\w+)$", r"return \2, \1"), (r"return \w+$", "return None")]),
    "jump": (5, [(r"^\s+continue(?=;?$)", "break"), (r"^\s+break(?=;?$)", "continue"), (r"\belse if \(", "if ("), (r"\belif\b", "if"), (r"\bwhile\b(?=.*:$)", "if"), (r"\bif\b(?=.*:$)", "while"), (r"\bwhile \((?=.*\{$)", "if ("), (r"^(\s+)yield from ", r"\1yield ")]),
}
SIMPLE = {kind: (weight, [(re.compile(p), to) for p, to in rules]) for kind, (weight, rules) in SIMPLE.items()}
WEIGHTS = {k: w for k, (w, _) in SIMPLE.items()} | {"name": 9, "function": 3, "member": 3, "guard": 12, "statement": 9, "order": 4, "indentation": 6, "extra": 3}
STATEMENT = re.compile(r"\s+[\w.\->\[\]()*+&, ]+?(?: ?[-+*/|&^%]?=(?!=) ?.*|\+\+|--|\(.*\));?$|\s+(?:return|break|continue|yield|raise)\b.*$")
DECLARATION = re.compile(r"\s+(?:const |static |struct |unsigned |auto |enum )*[A-Za-z_][\w:<>]*(?: +\*?|\* ?| ?& ?)[A-Za-z_]\w*(?:\[[^\]]*\])* *(?:=|;|,|\{|\()|\s+(?:return|goto|using|auto|const|static)\b.*;.*;")
SAID = re.compile(r"log|print|debug|assert|warn|trace|free|unused|\(void\)|import|global|nonlocal|docs?\b|message|close|raise|throw", re.I)
GUARD = re.compile(r"\s+if\b.*(?::|\)|\{)$")
JUMP = re.compile(r"\b(?:return|continue|break|raise|goto|throw)\b")
Bug = collections.namedtuple("Bug", "kind first last lines")  # lines[first:last] of the sound text become these


def indent_of(line): return len(line) - len(line.lstrip())


def split(text):
    """Lines with their breaks; form feeds and the like break none."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def functions(lines, language):
    """(first row of the definition, of the body, one behind the last) of functions of at most LONGEST lines."""
    out, i = [], 0
    while i < len(lines):
        line = lines[i]; found = None
        if language == "python":
            if line.lstrip().startswith(("def ", "async def ")): found = by_indentation(lines, i)
        elif line.rstrip().endswith("{") and line[:1] not in "#/": found = in_braces(lines, i)
        if found and 3 <= found[2] - found[0] <= LONGEST and found[1] < found[2]: out.append(found); i = found[2] if language != "python" else i + 1
        else: i += 1
    return out


def by_indentation(lines, i):
    row, base, signature = i, indent_of(lines[i]), lines[i]
    while row + 1 < len(lines) and row - i < 8 and signature.count("(") > signature.count(")"): row += 1; signature += lines[row]
    first = row + 1
    if first < len(lines) and lines[first].lstrip()[:3] in ('"""', "'''", 'r"""'):
        quote = lines[first].lstrip()[:3]
        if lines[first].count(quote) < 2:
            first += 1
            while first < len(lines) and quote not in lines[first]: first += 1
        first += 1
    end = last = first
    while end < len(lines) and end - i <= LONGEST and (not lines[end].strip() or indent_of(lines[end]) > base):
        end += 1
        if lines[end - 1].strip(): last = end
    return (i, first, last) if end - i <= LONGEST and indent_of(lines[min(first, len(lines) - 1)]) > base else None


def in_braces(lines, i):
    start = i - 1 if lines[i].strip() == "{" and i else i; base = indent_of(lines[i])
    if start != i and lines[start].rstrip().endswith(")") and "(" not in lines[start] and start: start -= 1
    signature = " ".join(x.strip() for x in lines[start:i + 1])
    if "(" not in signature or CONTROL.match(signature) or ("=" in signature.split("(")[0]) or signature.startswith("}"): return None
    end = i + 1
    while end < len(lines) and end - start <= LONGEST:
        line = lines[end]
        if line.startswith("}", base) and not line[:base].strip(): return start, i + 1, end + 1
        if line.strip() and indent_of(line) < base: return None
        end += 1
    return None


class Function:
    """A function's lines as they are and with blanks for comments and x for what is quoted, and the rows that may be changed."""

    def __init__(self, lines, place, language):
        self.lines, self.language, (self.start, self.first, self.end) = lines, language, place
        quoted = QUOTED["python" if language == "python" else "c"]; comment = False; mark = None
        self.masked, self.rows = {}, []
        for i in range(self.start, self.end):
            text = lines[i].rstrip("\n"); body = text.strip()
            quotes = TRIPLE.search(body) if language == "python" else None
            if comment or mark or quotes or body.startswith(("*", "/*")) and not re.match(r"\*\w+\W*=", body):
                if mark: mark = None if mark in body else mark
                elif quotes: mark = quotes[0] if body.count(quotes[0]) % 2 else None
                comment = "*/" not in body and (comment or body.startswith("/*")); continue
            comment = "/*" in text and "*/" not in text
            masked = quoted.sub(lambda m: m[0][0] + "x" * (len(m[0]) - 2) + m[0][-1] if m[0][0] in "\"'" and len(m[0]) != 3 else m[0] if m[0][0] in "\"'" else " " * len(m[0]), text).rstrip()
            self.masked[i] = masked
            if i >= self.first and masked.strip(" \t{}();") and not masked.lstrip().startswith("#"): self.rows.append(i)
        self.names = None

    def vocabulary(self):
        """Names of variables with the row of their first use and what follows them, of members and of called functions."""
        if self.names is None:
            self.names, self.members, self.calls = {}, [], []
            for i, text in self.masked.items():
                for m in re.finditer(r"(?<![\w.\"'])(?<!->)[A-Za-z_]\w*", text):
                    if m[0] in KEYWORDS or m[0].isupper() or text.startswith("::", m.end()) or text.startswith("::", m.start() - 2): continue
                    after = text[m.end():m.end() + 2]
                    if after[:1] == "(" or re.match(r"\s+\*?[A-Za-z_]|\s*\*+[A-Za-z_]\w*\s*[,;=)]|::|\s*<\w|[\"']", text[m.end():m.end() + 40]) and self.language != "python" or after[:1] in "\"'" and after[:1]: continue
                    row, seen, n = self.names.get(m[0], (i, frozenset(), 0)); self.names[m[0]] = (row, seen | {after if after == "->" else after[:1]} & {"->", ".", "["}, n + 1)
                if i < self.first: continue
                self.members += MEMBER.findall(text); self.calls += [n for n in CALLED.findall(text) if n not in KEYWORDS and not n.isupper()]
        return self.names


def other_word(name, known, rng):
    """A name with one of its words turned into the opposite, where that is a known name."""
    words = re.findall(r"[A-Za-z][a-z]*|[^A-Za-z]+", name); out = []
    for k, w in enumerate(words):
        for o in OTHER_WORD.get(w.lower(), ()):
            new = "".join(words[:k] + [o.capitalize() if w[0].isupper() else o] + words[k + 1:])
            if new in known or new in KNOWN and name in KNOWN: out.append(new)
    return rng.choice(out) if out else None


def expanded(to, m, text, row, function, rng):
    """What a match becomes: a pattern's replacement, with the text as it is where the masked one has x."""
    part = lambda k: text[m.start(k):m.end(k)] if m.start(k) >= 0 else ""
    if to in ("+1", "-1"): return str(int(m[0]) + int(to)) if len(m[0]) < 9 else None
    if to == "grow": return text[m.start():m.end()].replace("=", "+=") if function.vocabulary().get(part(1), (row,))[0] < row else None
    if to == "hex": return m[0][:-1] + "7"
    if to == "swap": return text[m.start():m.start(1)] + part(2) + ", " + part(1) + ")" if part(1) != part(2) else None
    if to == "name":
        names = [n for n, (_, _, count) in function.vocabulary().items() if n != m[0].split()[1] and count > 1]
        return "return " + rng.choice(names) if names and m[0] not in ("return None", "return True", "return False", "return NULL") and not m[0][7:].isdigit() else None
    return re.sub(r"\\(?:g<(\d)>|(\d))", lambda g: part(int(g[1] or g[2])), to)


def simple(f, kind, rng):
    found = []
    for pattern, to in SIMPLE[kind][1]:
        for i in f.rows:
            for m in pattern.finditer(f.masked[i]): found.append((i, m, to))
    rng.shuffle(found)
    for i, m, to in found:
        text = f.lines[i]; new = expanded(to, m, text, i, f, rng)
        if new is not None and new != text[m.start():m.end()]: yield Bug(kind, i, i + 1, [text[:m.start()] + new + text[m.end():]])


def replaced_names(f, kind, rng):
    """A variable, a member or a called function for another that stands in the function."""
    names = f.vocabulary(); known = {"name": names, "member": set(f.members), "function": set(f.calls)}[kind]
    if kind == "function" and len(known) < 2 and not known & KNOWN or kind != "function" and len(known) < 2: return
    found = [(i, m) for i in f.rows for m in {"name": NAME, "member": MEMBER, "function": CALLED}[kind].finditer(f.masked[i]) if m[1] not in KEYWORDS]
    rng.shuffle(found)
    for i, m in found:
        others = []
        if kind == "name":
            if m[1] not in names or re.match(r"\s*(?:[A-Za-z_]\w*[ *]+)+$", f.masked[i][:m.start()]) and f.language != "python" and not re.match(r"\s*(?:return|else)\b", f.masked[i]): continue
            _, seen, _ = names[m[1]]
            others = [n for n, (row, like, _) in names.items() if n != m[1] and row < i and (like == seen or f.language == "python" and len(seen & like))]
        else: others = [n for n in known if n != m[1]]
        close = other_word(m[1], known, rng)
        if not others and not close: continue
        new = close if close and (rng.random() < 0.6 or not others) else rng.choice(sorted(others))
        text = f.lines[i]; yield Bug(kind, i, i + 1, [text[:m.start(1)] + new + text[m.end(1):]])


def block_end(f, i):
    j = i + 1
    while j < f.end and (not f.lines[j].strip() or indent_of(f.lines[j]) > indent_of(f.lines[i])): j += 1
    if j < f.end and f.masked.get(j, "").strip() == "}" and indent_of(f.lines[j]) == indent_of(f.lines[i]) and f.masked[i].endswith("{"): j += 1
    while j > i + 1 and not f.lines[j - 1].strip(): j -= 1
    return j


def removals(f, kind, rng):
    """A statement or a guard that somebody forgot."""
    rows = list(f.rows); rng.shuffle(rows); alone = len(rows) < 3
    for i in rows:
        text = f.masked[i]
        if alone or SAID.search(text): continue
        if kind == "statement":
            if not STATEMENT.match(text) or text.count("(") != text.count(")") or f.language != "python" and (not text.endswith(";") or DECLARATION.match(text)): continue
            before = f.masked.get(i - 1, "")
            if f.language != "python" and re.match(r"\s*(?:\} )?(?:if|else|for|while)\b[^{]*$", before) and not before.endswith(";"): continue
            if f.language == "python" and (m := re.match(r"\s+(\w+) = ", text)) and not any(re.search(rf"\b{m[1]}\b", f.lines[j]) for j in range(f.start, i)): continue
            yield Bug(kind, i, i + 1, [])
        elif GUARD.match(text):
            j = block_end(f, i)
            if j - i > 3 or not JUMP.search("".join(f.masked.get(k, "") for k in range(i, j))) or j < f.end and re.match(r"\s*(?:\} )?(?:else|elif)\b", f.lines[j]): continue
            if f.masked[i].endswith("{") and f.masked.get(j - 1, "").strip() != "}": continue
            yield Bug(kind, i, j, [])


def moves(f, kind, rng):
    """Two statements in the wrong order, one that is indented too far or too little, one twice."""
    rows = list(f.rows); rng.shuffle(rows)
    for i in rows:
        a, b = f.masked[i], f.masked.get(i + 1, ""); here, after = f.lines[i], f.lines[i + 1] if i + 1 < f.end else ""
        plain = STATEMENT.match(a) and a.count("(") == a.count(")") and not SAID.search(a)
        if kind == "order" and plain and i + 1 < f.end - (f.language != "python") and STATEMENT.match(b) and indent_of(a) == indent_of(b) and a.strip() != b.strip() and not JUMP.match(a.strip()):
            name, other = (re.match(r"[\s*(&\[+-]*([\w.\->]*)", x)[1] for x in (a, b))
            if f.language != "python" and (DECLARATION.match(a) or DECLARATION.match(b)) or name not in b and other not in a and not JUMP.match(b.strip()): continue
            yield Bug(kind, i, i + 2, [after, here])
        if kind == "extra" and plain and i + 1 < f.end and not JUMP.match(a.strip()) and re.search(r"\+=|-=|\+\+|--|append\(|push|\*=", a) and (f.language == "python" or a.endswith(";")) and not a.strip().startswith(("if", "for", "while")): yield Bug(kind, i + 1, i + 1, [here])
        if kind == "indentation" and STATEMENT.match(a) and f.language == "python" and i > f.first and not a.endswith(",") and a.count("(") == a.count(")"):
            above = next((f.lines[k] for k in range(i - 1, f.first - 1, -1) if f.lines[k].strip()), ""); depth = indent_of(here); unit = max(1, indent_of(f.lines[f.first]) - indent_of(f.lines[f.start]))
            if above.rstrip().endswith((",", "(", "[", "{", "\\")): continue
            deeper = list(range(depth + unit, indent_of(above) + 1, unit))
            if deeper: yield Bug(kind, i, i + 1, [" " * rng.choice(deeper) + here.lstrip()])
            if depth - unit >= indent_of(f.lines[f.first]) and not above.rstrip().endswith(":") and indent_of(after) < depth: yield Bug(kind, i, i + 1, [" " * (depth - unit) + here.lstrip()])


def candidates(f, kind, rng):
    if kind in SIMPLE: return simple(f, kind, rng)
    if kind in ("name", "member", "function"): return replaced_names(f, kind, rng)
    return removals(f, kind, rng) if kind in ("statement", "guard") else moves(f, kind, rng)


