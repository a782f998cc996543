"""Problems composed of clauses: which values, up to where, turned into what, gathered how. A clause is written once, in C's
expressions, and translated; the number of clauses makes a problem easy or hard."""
import re

from problems import Problem


def py(expression):
    """A C expression of the kinds used here, in Python."""
    e = expression.replace("&&", "and").replace("||", "or")
    return re.sub(r"!(?!=)", "not ", e)


def small_ints(rng, low=-20, high=30, longest=12):
    values = [rng.randint(low, high) for _ in range(rng.choice((0, 1, 2)) if rng.random() < 0.2 else rng.randint(3, longest))]
    if len(values) > 3 and rng.random() < 0.5: values[rng.randrange(len(values))] = values[rng.randrange(len(values))]
    return values


def value_predicates(rng):
    k, m, d = rng.randint(2, 12), rng.randint(13, 25), rng.randint(3, 7)
    return rng.choice([
        ("even", "x % 2 == 0"), ("odd", "x % 2 != 0"), ("positive", "x > 0"), ("negative", "x < 0"), ("not zero", "x != 0"),
        (f"larger than {k}", f"x > {k}"), (f"smaller than {k}", f"x < {k}"), (f"between {-k} and {k}, both included", f"x >= {-k} && x <= {k}"),
        (f"divisible by {d}", f"x % {d} == 0"), (f"not divisible by {d}", f"x % {d} != 0"),
        (f"less than {k} or more than {m}", f"(x < {k} || x > {m})"), (f"even and larger than {-k}", f"x % 2 == 0 && x > {-k}"),
        (f"odd or larger than {m}", f"(x % 2 != 0 || x > {m})"), (f"at least {k} away from zero", f"(x >= {k} || x <= {-k})")])


def place_predicates(rng):
    return rng.choice([
        ("stand at an even index", "i % 2 == 0"), ("stand at an odd index", "i % 2 != 0"),
        ("are larger than the value just before them (the first value has none and never counts)", "i > 0 && x > a[i - 1]"),
        ("are smaller than the value just before them (the first value has none and never counts)", "i > 0 && x < a[i - 1]"),
        ("differ from the value just before them (the first value always counts)", "(i == 0 || x != a[i - 1])"),
        ("are larger than the value just after them (the last value has none and never counts)", "i + 1 < n && x > a[i + 1]"),
        ("are larger than their own index", "x > i"), ("stand neither first nor last", "i > 0 && i < n - 1")])


def stops(rng):
    k = rng.randint(15, 28)
    return rng.choice([("negative", "x < 0"), ("zero", "x == 0"), (f"larger than {k}", f"x > {k}"), (f"equal to {k - 12}", f"x == {k - 12}"), ("divisible by 7", "x % 7 == 0")])


def maps(rng):
    k = rng.randint(2, 9)
    return rng.choice([("the squares of", "x * x"), ("twice", "2 * x"), ("the absolute values of", "abs(x)"), (f"{k} minus", f"{k} - x"), (f"{k} plus", f"x + {k}"),
                       ("the products with their index of", "x * i"), (f"the distances from {k} of", f"abs(x - {k})"), ("the negatives of", "-x")])


def gatherers(rng):
    """(kind, text around {what}, result type, lines before, lines for y at index i, lines after); each line in C and Python"""
    d, m = rng.choice((-1, 0, -100, 1000)), rng.choice((97, 101, 1000))
    both = lambda text: (text, py(text.rstrip(";")))
    simple = {
        "sum": ("the sum of {what}", "int", [("int total = 0;", "total = 0")], [both("total += y;")], [both("return total;")]),
        "alternating": ("the alternating sum of {what}: the first is added, the second subtracted, the third added, and so on", "int",
                        [("int total = 0, sign = 1;", "total, sign = 0, 1")], [both("total += sign * y;"), both("sign = -sign;")], [both("return total;")]),
        "largest": (f"the largest of {{what}}, or {d} if there is none", "int", [("int best = 0;", "best = 0"), ("bool found = false;", "found = False")],
                    [("if (!found || y > best) best = y;", "if not found or y > best: best = y"), ("found = true;", "found = True")], [(f"return found ? best : {d};", f"return best if found else {d}")]),
        "smallest": (f"the smallest of {{what}}, or {d} if there is none", "int", [("int best = 0;", "best = 0"), ("bool found = false;", "found = False")],
                     [("if (!found || y < best) best = y;", "if not found or y < best: best = y"), ("found = true;", "found = True")], [(f"return found ? best : {d};", f"return best if found else {d}")]),
        "count": ("how many there are of {what}", "int", [("int count = 0;", "count = 0")], [("if (y == y) count++;", "count += 1")], [both("return count;")]),
        "list": ("{what}, in their order", "ints", [("int k = 0;", "out = []")], [("out[k++] = y;", "out.append(y)")], [("return k;", "return out")]),
        "running": ("the running sums of {what}: each is the sum of all up to there", "ints", [("int k = 0, total = 0;", "out, total = [], 0")],
                    [both("total += y;"), ("out[k++] = total;", "out.append(total)")], [("return k;", "return out")]),
        "spread": ("the largest less the smallest of {what}, or 0 if there are fewer than two", "int", [("int low = 0, high = 0, count = 0;", "low = high = count = 0")],
                   [("if (count == 0 || y < low) low = y;", "if count == 0 or y < low: low = y"), ("if (count == 0 || y > high) high = y;", "if count == 0 or y > high: high = y"), ("count++;", "count += 1")],
                   [("return high - low;", "return high - low")]),
        "second": (f"the second largest of {{what}} (equal ones count each), or {d} if there are fewer than two", "int", [("int first = 0, second = 0, count = 0;", "first = second = count = 0")],
                   [("if (count == 0 || y > first) {", "if count == 0 or y > first:"), ("    second = first;", "    second = first"), ("    first = y;", "    first = y"),
                    ("} else if (count == 1 || y > second) {", "elif count == 1 or y > second:"), ("    second = y;", "    second = y"), ("}", None), ("count++;", "count += 1")],
                   [(f"return count < 2 ? {d} : second;", f"return {d} if count < 2 else second")]),
        "steps": ("the differences between each of {what} and the one before it; the first has none", "ints", [("int k = 0, last = 0;", "out, last = [], 0"), ("bool any = false;", "any_yet = False")],
                  [("if (any) out[k++] = y - last;", "if any_yet: out.append(y - last)"), ("last = y;", "last = y"), ("any = true;", "any_yet = True")], [("return k;", "return out")]),
        "mean": (f"the mean of {{what}}, rounded toward zero, or {d} if there is none", "int", [("int total = 0, count = 0;", "total = count = 0")], [both("total += y;"), ("count++;", "count += 1")],
                 [(f"return count ? total / count : {d};", f"return int(total / count) if count else {d}")]),
        "climb": ("how often one of {what} is larger than all before it; the first always is", "int", [("int count = 0, best = 0;", "count = best = 0")],
                  [("if (count == 0 || y > best) {", "if count == 0 or y > best:"), ("    best = y;", "    best = y"), ("    count++;", "    count += 1"), ("}", None)], [both("return count;")]),
        "weighted": ("the sum of {what}, the first taken once, the second twice, the third three times, and so on", "int", [("int total = 0, weight = 1;", "total, weight = 0, 1")],
                     [both("total += weight * y;"), ("weight++;", "weight += 1")], [both("return total;")]),
        "remainder": (f"the remainder that the sum of the squares of {{what}} leaves when divided by {m}", "int", [("int total = 0;", "total = 0")], [both("total += y * y;")], [(f"return total % {m};", f"return total % {m}")]),
    }
    kind = rng.choice(list(simple))
    return (kind, *simple[kind])


def over_values(rng, number):
    filters, doc = [], []
    for _ in range(rng.choice((0, 1, 1, 2))):
        text, e = value_predicates(rng)
        if e not in filters: filters.append(e); doc.append("are " + text)
    if rng.random() < 0.45:
        text, e = place_predicates(rng); filters.append(e); doc.append(text)
    mapping = maps(rng) if rng.random() < 0.5 else None
    stop = stops(rng) if rng.random() < 0.4 else None
    back = rng.random() < 0.15 and not stop
    kind, text, result, before, each, after = gatherers(rng)
    if kind == "count": mapping = None
    what = "those values of a that " + " and ".join(doc) if doc else "the values of a"
    if mapping: what = f"{mapping[0]} {what}"
    y = mapping[1] if mapping else "x"
    sentences = [f"Returns {text.format(what=what)}."]
    if kind in ("list", "running", "steps"): sentences = [f"Gives {text.format(what=what)}."]
    if back: sentences.append("The values are gone through from the last to the first.")
    if stop: sentences.append(f"Only the values before the first one that is {stop[0]} are looked at.")
    c = [line for line, _ in before] + ["for (int i = n - 1; i >= 0; i--) {" if back else "for (int i = 0; i < n; i++) {", "    int x = a[i];"]
    p = [line for _, line in before if line] + ["n = len(a)", "for i in range(n - 1, -1, -1):" if back else "for i in range(n):", "    x = a[i]"]
    if stop: c.append(f"    if ({stop[1]}) break;"); p += [f"    if {py(stop[1])}:", "        break"]
    pad_c = pad_p = "    "
    if filters:
        c.append(f"    if ({' && '.join(filters)}) {{"); p.append(f"    if {py(' && '.join(filters))}:"); pad_c = pad_p = "        "
    needs_y = kind != "count"
    if needs_y: c.append(f"{pad_c}int y = {y};"); p.append(f"{pad_p}y = {py(y)}")
    c += [pad_c + (line if kind != "count" else "count++;") for line, _ in each]
    p += [pad_p + line for _, line in each if line]
    if filters: c.append("    }")
    c += ["}"] + [line for line, _ in after]; p += [line for _, line in after if line]
    names = {"sum": "total", "list": "select", "count": "count", "running": "sums"}
    words = [w for f in doc for w in re.findall(r"even|odd|positive|negative|larger|smaller|divisible|zero|differ", f)][:2]
    name = "_".join([names.get(kind, kind)] + (words or ["values"])) if rng.random() < 0.6 else rng.choice(("measure", "score", "tally", "digest", "reduce", "summary")) + f"_{number % 97}"
    return Problem(name, f"values/{kind}", " ".join(sentences), [("a", "ints")], result, "\n".join(c), "\n".join(p), lambda r: [small_ints(r)])


CHARACTERS = [("vowels (a, e, i, o, u in either case)", '(c != 0 && strchr("aeiouAEIOU", c) != NULL)', 'c in "aeiouAEIOU"'), ("digits", "isdigit((unsigned char)c)", "c.isdigit()"),
              ("upper case letters", "isupper((unsigned char)c)", "c.isupper()"), ("lower case letters", "islower((unsigned char)c)", "c.islower()"), ("letters", "isalpha((unsigned char)c)", "c.isalpha()"),
              ("spaces", "c == ' '", "c == ' '"), ("letters or digits", "isalnum((unsigned char)c)", "c.isalnum()"), ("neither letters nor digits", "!isalnum((unsigned char)c)", "not c.isalnum()"),
              ("equal to the first character of s", "c == s[0]", "c == s[0]"), ("equal to the character just before them", "i > 0 && c == s[i - 1]", "i > 0 and c == s[i - 1]"),
              ("different from the character just before them (the first always is)", "(i == 0 || c != s[i - 1])", "i == 0 or c != s[i - 1]"),
              ("at an even index", "i % 2 == 0", "i % 2 == 0"), ("in the range from 'a' to 'm'", "c >= 'a' && c <= 'm'", "'a' <= c <= 'm'"), ("brackets of any of the kinds ( ) [ ] { }", '(c != 0 && strchr("()[]{}", c) != NULL)', 'c in "()[]{}"')]


def a_text(rng, longest=16):
    alphabet = rng.choice(("abcAB12 ", "aabbcc", "hello world XYZ 42", "aeiouxyz", "()[]{}a1 ", "abcdefghijklmnopqrstuvwxyzABC0123 .,-_"))
    return "".join(rng.choice(alphabet) for _ in range(0 if rng.random() < 0.08 else rng.randint(1, longest)))


def over_characters(rng, number):
    text, c_test, py_test = rng.choice(CHARACTERS)
    other = rng.choice([o for o in CHARACTERS[:9] if o[0] != text]) if rng.random() < 0.35 else None
    what = f"the characters of s that are {text}"
    if other:
        joint = rng.random() < 0.5
        what += (" and also " if joint else " or ") + other[0]
        c_test = f"({c_test}) {'&&' if joint else '||'} ({other[1]})"; py_test = f"({py_test}) {'and' if joint else 'or'} ({other[2]})"
    mark, k = rng.choice("*#_-"), rng.randint(1, 3)
    loop_c, loop_p = ["for (int i = 0; s[i]; i++) {", "    char c = s[i];"], ["for i, c in enumerate(s):"]
    kind = rng.choice(("count", "keep", "drop", "replace", "run", "first", "last", "swap", "double", "groups", "index_sum", "move"))
    t = (c_test, py_test)
    forms = {
        "count": (f"Returns how many of {what} there are.", "int", ["int count = 0;", *loop_c, f"    if ({t[0]}) count++;", "}", "return count;"], ["count = 0", *loop_p, f"    if {t[1]}:", "        count += 1", "return count"]),
        "keep": (f"Gives s with only {what} left.", "str", ["int k = 0;", *loop_c, f"    if ({t[0]}) out[k++] = c;", "}", "out[k] = 0;"], ['out = ""', *loop_p, f"    if {t[1]}:", "        out += c", "return out"]),
        "drop": (f"Gives s without {what}.", "str", ["int k = 0;", *loop_c, f"    if (!({t[0]})) out[k++] = c;", "}", "out[k] = 0;"], ['out = ""', *loop_p, f"    if not ({t[1]}):", "        out += c", "return out"]),
        "replace": (f"Gives s with each of {what} replaced by '{mark}'.", "str", ["int k = 0;", *loop_c, f"    out[k++] = ({t[0]}) ? '{mark}' : c;", "}", "out[k] = 0;"], ['out = ""', *loop_p, f"    out += '{mark}' if {t[1]} else c", "return out"]),
        "run": (f"Returns the length of the longest unbroken run of {what}.", "int", ["int best = 0, run = 0;", *loop_c, f"    run = ({t[0]}) ? run + 1 : 0;", "    if (run > best) best = run;", "}", "return best;"],
                ["best = run = 0", *loop_p, f"    run = run + 1 if {t[1]} else 0", "    best = max(best, run)", "return best"]),
        "first": (f"Returns the index of number {k} (counted from 1) among {what}, or -1 if there are fewer.", "int", ["int seen = 0;", *loop_c, f"    if (({t[0]}) && ++seen == {k}) return i;", "}", "return -1;"],
                  ["seen = 0", *loop_p, f"    if {t[1]}:", "        seen += 1", f"        if seen == {k}:", "            return i", "return -1"]),
        "last": (f"Returns how many characters of s stand after the last of {what}, or -1 if there is none.", "int", ["int after = -1;", *loop_c, f"    if ({t[0]})", "        after = 0;", "    else if (after >= 0)", "        after++;", "}", "return after;"],
                 ["after = -1", *loop_p, f"    if {t[1]}:", "        after = 0", "    elif after >= 0:", "        after += 1", "return after"]),
        "swap": (f"Gives s with the case of {what} swapped (upper to lower and lower to upper).", "str", ["int k = 0;", *loop_c, f"    if (!({t[0]}))", "        out[k++] = c;", "    else if (isupper((unsigned char)c))", "        out[k++] = (char)tolower((unsigned char)c);", "    else", "        out[k++] = (char)toupper((unsigned char)c);", "}", "out[k] = 0;"],
                 ['out = ""', *loop_p, f"    out += c.swapcase() if {t[1]} else c", "return out"]),
        "double": (f"Gives s with each of {what} written {k + 1} times.", "str", ["int k = 0;", *loop_c, f"    for (int j = 0; j < (({t[0]}) ? {k + 1} : 1); j++) out[k++] = c;", "}", "out[k] = 0;"], ['out = ""', *loop_p, f"    out += c * ({k + 1} if {t[1]} else 1)", "return out"]),
        "groups": (f"Returns how many unbroken runs of {what} there are.", "int", ["int groups = 0;", "bool inside = false;", *loop_c, f"    bool now = {t[0]};", "    if (now && !inside) groups++;", "    inside = now;", "}", "return groups;"],
                   ["groups, inside = 0, False", *loop_p, f"    now = {t[1]}", "    if now and not inside:", "        groups += 1", "    inside = now", "return groups"]),
        "index_sum": (f"Returns the sum of the indices of {what}.", "int", ["int total = 0;", *loop_c, f"    if ({t[0]}) total += i;", "}", "return total;"], ["total = 0", *loop_p, f"    if {t[1]}:", "        total += i", "return total"]),
        "move": (f"Gives s rearranged: {what} come first, in their order, then all others, in theirs.", "str", ["int k = 0;", "for (int pass = 0; pass < 2; pass++)", "    for (int i = 0; s[i]; i++) {", "        char c = s[i];", f"        bool chosen = {t[0]};", "        if (chosen == (pass == 0)) out[k++] = c;", "    }", "out[k] = 0;"],
                 ['first = rest = ""', *loop_p, f"    if {t[1]}:", "        first += c", "    else:", "        rest += c", "return first + rest"]),
    }
    doc, result, c, p = forms[kind]
    name = f"{kind}_{rng.choice(('chars', 'letters', 'marks', 'text', 'of_text'))}" if rng.random() < 0.6 else rng.choice(("scan", "edit", "rework", "inspect", "filter")) + f"_{number % 97}"
    return Problem(name, f"characters/{kind}", doc, [("s", "str")], result, "\n".join(c), "\n".join(p), lambda r: [a_text(r)])


WORDS = [("longer than {k} characters", "end - start > {k}", "len(w) > {k}"), ("of exactly {k} characters", "end - start == {k}", "len(w) == {k}"), ("that begin and end with the same character", "s[start] == s[end - 1]", "w[0] == w[-1]"),
         ("that begin with a vowel (a, e, i, o, u)", 'strchr("aeiou", s[start]) != NULL', 'w[0] in "aeiou"'), ("that begin with a digit", "isdigit((unsigned char)s[start])", "w[0].isdigit()"), ("of even length", "(end - start) % 2 == 0", "len(w) % 2 == 0")]


def a_sentence(rng):
    words = ["".join(rng.choice("abceiotx19") for _ in range(rng.randint(1, 6))) for _ in range(rng.randint(0, 6))]
    return rng.choice(("", "", " ")) + "".join(w + " " * rng.choice((1, 1, 2)) for w in words)


def over_words(rng, number):
    k = rng.randint(2, 4); text, c_test, py_test = (x.format(k=k) for x in rng.choice(WORDS))
    kind = rng.choice(("count", "longest", "letters", "join", "initials", "position"))
    scan = ["int at = 0;", "while (s[at]) {", "    while (s[at] == ' ') at++;", "    int start = at;", "    while (s[at] && s[at] != ' ') at++;", "    int end = at;", f"    if (end > start && {c_test}) {{"]
    loop = ["for w in s.split():", f"    if {py_test}:"]
    base = f"Words are what spaces separate (one or more). "
    forms = {
        "count": (f"Returns how many words of s there are {text}.", "int", ["int count = 0;"], ["        count++;"], ["return count;"], ["count = 0"], ["        count += 1"], ["return count"]),
        "longest": (f"Returns the length of the longest among the words of s {text}, or 0 if there is none.", "int", ["int best = 0;"], ["        if (end - start > best) best = end - start;"], ["return best;"], ["best = 0"], ["        best = max(best, len(w))"], ["return best"]),
        "letters": (f"Returns the sum of the lengths of the words of s {text}.", "int", ["int total = 0;"], ["        total += end - start;"], ["return total;"], ["total = 0"], ["        total += len(w)"], ["return total"]),
        "join": (f"Gives the words of s {text}, in their order, separated by single commas.", "str", ["int k = 0;"], ["        if (k) out[k++] = ',';", "        for (int i = start; i < end; i++) out[k++] = s[i];"], ["out[k] = 0;"], ["kept = []"], ["        kept.append(w)"], ['return ",".join(kept)']),
        "initials": (f"Gives the first characters of the words of s {text}, in their order, with nothing between them.", "str", ["int k = 0;"], ["        out[k++] = s[start];"], ["out[k] = 0;"], ['out = ""'], ["        out += w[0]"], ["return out"]),
        "position": (f"Returns the number (counted from 1 among all words) of the last word of s {text}, or 0 if there is none.", "int", ["int number = 0, found = 0;"], ["        found = number;"], ["return found;"], ["found = 0"], ["        found = number"], ["return found"]),
    }
    doc, result, c1, c2, c3, p1, p2, p3 = forms[kind]
    if kind == "position":
        scan = scan[:6] + ["    if (end > start) number++;"] + scan[6:]; loop = ["for number, w in enumerate(s.split(), 1):", loop[1]]
    return Problem(f"{kind}_words" if rng.random() < 0.6 else f"words_{number % 97}", f"words/{kind}", doc + " " + base.strip(), [("s", "str")], result, "\n".join(c1 + scan + c2 + ["    }", "}"] + c3), "\n".join(p1 + loop + p2 + p3), lambda r: [a_sentence(r)])


def over_numbers(rng, number):
    d, b = rng.randint(2, 7), rng.choice((2, 3, 5, 7, 8, 10, 10, 10))
    digit = rng.choice([("even", "d % 2 == 0"), ("odd", "d % 2 != 0"), ("larger than 4" if b > 6 else "not zero", "d > 4" if b > 6 else "d != 0"), ("equal to the lowest digit of n", f"d == n % {b}"), ("smaller than the digit just above the lowest of n", f"d < n / {b} % {b}")])
    base = "decimal" if b == 10 else f"base-{b}"
    walk_c, walk_p = ["int m = n;", "do {", f"    int d = m % {b};", f"    m /= {b};"], ["m = n", "while True:", f"    d = m % {b}", f"    m //= {b}"]
    close_c, close_p = ["} while (m > 0);"], ["    if m == 0:", "        break"]
    test_c, test_p = digit[1], py(digit[1]).replace("/", "//")
    kind = rng.choice(("digit_count", "digit_sum", "digit_rebuild", "digit_gap", "count_to", "sum_to", "steps_of"))
    params, span = [("n", "int")], lambda r: [r.choice((0, r.randint(1, 99), r.randint(100, 99999), r.randint(1, 2000000)))]
    if kind == "digit_count": doc, c, p = f"Returns how many {base} digits of n are {digit[0]}. n is not negative; 0 has one digit.", ["int count = 0;", *walk_c, f"    if ({test_c}) count++;", *close_c, "return count;"], ["count = 0", *walk_p, f"    if {test_p}:", "        count += 1", *close_p, "return count"]
    elif kind == "digit_sum": doc, c, p = f"Returns the sum of those {base} digits of n that are {digit[0]}. n is not negative.", ["int total = 0;", *walk_c, f"    if ({test_c}) total += d;", *close_c, "return total;"], ["total = 0", *walk_p, f"    if {test_p}:", "        total += d", *close_p, "return total"]
    elif kind == "digit_rebuild": doc, c, p = f"Returns the number whose {base} digits are those of n without the ones that are {digit[0]}, in their order; 0 if none is left. n is not negative.", ["int result = 0, place = 1;", *walk_c, f"    if (!({test_c})) {{", "        result += d * place;", f"        place *= {b};", "    }", *close_c, "return result;"], ["result, place = 0, 1", *walk_p, f"    if not ({test_p}):", "        result += d * place", f"        place *= {b}", *close_p, "return result"]
    elif kind == "digit_gap": doc, c, p = f"Returns the largest difference, without sign, between two neighbouring {base} digits of n; 0 if n has only one. n is not negative.", ["int best = 0;", f"for (int m = n; m >= {b}; m /= {b}) {{", f"    int gap = abs(m % {b} - m / {b} % {b});", "    if (gap > best) best = gap;", "}", "return best;"], ["best, m = 0, n", f"while m >= {b}:", f"    best = max(best, abs(m % {b} - m // {b} % {b}))", f"    m //= {b}", "return best"]
    else:
        rule = rng.choice([(f"divisible by {d} but not by {d + 2}", f"v % {d} == 0 && v % {d + 2} != 0"), (f"that leave the remainder 1 when divided by {d}", f"v % {d} == 1"), ("whose square ends in the decimal digit 1 or 6", "(v * v % 10 == 1 || v * v % 10 == 6)"), (f"that divide {d * 60}", f"{d * 60} % v == 0")])
        span = lambda r: [r.randint(0, 150)]
        if kind == "steps_of":
            k = rng.randint(3, 9)
            doc = f"Starts with n and repeats: an even number is halved, an odd one becomes {2 * k + 1} more than itself, halved toward zero. Returns after how many steps a number at most {k * 3} is reached; 0 if n is so already. n is not negative."
            c, p = ["int steps = 0;", f"while (n > {k * 3}) {{", f"    n = n % 2 == 0 ? n / 2 : (n + {2 * k + 1}) / 2;", "    steps++;", "}", "return steps;"], ["steps = 0", f"while n > {k * 3}:", f"    n = n // 2 if n % 2 == 0 else (n + {2 * k + 1}) // 2", "    steps += 1", "return steps"]
            span = lambda r: [r.randint(0, 5000)]
        else:
            word, add = ("how many numbers", "1") if kind == "count_to" else ("the sum of the numbers", "v")
            doc = f"Returns {word} from 1 to n (both included) {'are ' if kind == 'count_to' and rule[0].startswith('div') else 'there are ' if kind == 'count_to' else ''}{rule[0]}."
            c, p = ["int total = 0;", "for (int v = 1; v <= n; v++)", f"    if ({rule[1]}) total += {add};", "return total;"], ["total = 0", "for v in range(1, n + 1):", f"    if {py(rule[1])}:", f"        total += {add}", "return total"]
    return Problem(kind if rng.random() < 0.6 else f"number_{number % 97}", f"numbers/{kind}", doc, params, "int", "\n".join(c), "\n".join(p), span)


def over_pairs(rng, number):
    k = rng.randint(3, 20)
    test = rng.choice([(f"whose sum is {k}", f"a[i] + a[j] == {k}"), (f"that differ by at most {k // 3 + 1}", f"abs(a[i] - a[j]) <= {k // 3 + 1}"), ("whose product is negative", "a[i] * a[j] < 0"), ("that are out of order (the earlier is larger)", "a[i] > a[j]"), ("that are equal", "a[i] == a[j]"), (f"whose sum is divisible by {k // 3 + 2}", f"(a[i] + a[j]) % {k // 3 + 2} == 0"), ("that both are odd", "a[i] % 2 != 0 && a[j] % 2 != 0")])
    near = rng.random() < 0.4; reach = rng.randint(1, 3)
    who = f"pairs of values of a at indices i < j" + (f" with j - i at most {reach}" if near else "")
    upper_c, upper_p = (f"j < n && j - i <= {reach}", f"min(len(a), i + {reach + 1})") if near else ("j < n", "len(a)")
    d = rng.choice((-1, -1000))
    kind = rng.choice(("pair_count", "pair_best", "pair_far", "pair_first"))
    if kind == "pair_count": doc, c0, act_c, c1, p0, act_p, p1 = f"Returns how many {who} there are {test[0]}.", "int count = 0;", "count++;", "return count;", "count = 0", ["count += 1"], "return count"
    elif kind == "pair_best": doc, c0, act_c, c1, p0, act_p, p1 = f"Returns the largest sum among the {who} {test[0]}, or {d} if there is none.", "bool found = false;\nint best = 0;", "if (!found || a[i] + a[j] > best) {\n                best = a[i] + a[j];\n                found = true;\n            }", f"return found ? best : {d};", "best = None", ["best = a[i] + a[j] if best is None else max(best, a[i] + a[j])"], f"return {d} if best is None else best"
    elif kind == "pair_far": doc, c0, act_c, c1, p0, act_p, p1 = f"Returns the largest j - i among the {who} {test[0]}, or 0 if there is none.", "int best = 0;", "if (j - i > best) best = j - i;", "return best;", "best = 0", ["best = max(best, j - i)"], "return best"
    else: doc, c0, act_c, c1, p0, act_p, p1 = f"Returns the index j of the first of the {who} {test[0]}, where pairs are ordered by i and then by j; -1 if there is none.", "", "return j;", "return -1;", "", ["return j"], "return -1"
    c = (c0 + "\n" if c0 else "") + f"for (int i = 0; i < n; i++)\n    for (int j = i + 1; {upper_c}; j++)\n        if ({test[1]}) {{\n            {act_c}\n        }}\n{c1}"
    p = (p0 + "\n" if p0 else "") + f"for i in range(len(a)):\n    for j in range(i + 1, {upper_p}):\n        if {py(test[1])}:\n" + "\n".join("            " + x for x in act_p) + f"\n{p1}"
    return Problem(kind if rng.random() < 0.6 else f"pairs_{number % 97}", f"pairs/{kind}", doc, [("a", "ints")], "int", c, p, lambda r: [small_ints(r, -9, 12, 9)])


def over_two(rng, number):
    test = rng.choice([("the value of a is larger", "x > y"), ("the two are equal", "x == y"), ("both are even", "x % 2 == 0 && y % 2 == 0"), ("their signs differ (one is negative, the other is not)", "(x < 0) != (y < 0)"), ("their sum is odd", "(x + y) % 2 != 0"), (f"they differ by more than {number % 5 + 2}", f"abs(x - y) > {number % 5 + 2}")])
    value = rng.choice([("product", "x * y"), ("sum", "x + y"), ("difference (a's value less b's)", "x - y")])
    kind = rng.choice(("two_sum", "two_list", "two_last", "two_merge"))
    head = "Goes through a and b side by side, up to the end of the shorter one. "
    loop_c, loop_p = "for (int i = 0; i < n && i < n_b; i++) {\n    int x = a[i], y = b[i];\n", "for i, (x, y) in enumerate(zip(a, b)):\n"
    if kind == "two_sum": doc, result, c, p = head + f"Returns the sum of each {value[0]} of two values where {test[0]}.", "int", f"int total = 0;\n{loop_c}    if ({test[1]}) total += {value[1]};\n}}\nreturn total;", f"total = 0\n{loop_p}    if {py(test[1])}:\n        total += {value[1]}\nreturn total"
    elif kind == "two_list": doc, result, c, p = head + f"Gives the {value[0]} of each two values where {test[0]}.", "ints", f"int k = 0;\n{loop_c}    if ({test[1]}) out[k++] = {value[1]};\n}}\nreturn k;", f"out = []\n{loop_p}    if {py(test[1])}:\n        out.append({value[1]})\nreturn out"
    elif kind == "two_last": doc, result, c, p = head + f"Returns the last index at which {test[0]}, or -1 if there is none.", "int", f"int last = -1;\n{loop_c}    if ({test[1]}) last = i;\n}}\nreturn last;", f"last = -1\n{loop_p}    if {py(test[1])}:\n        last = i\nreturn last"
    else: doc, result, c, p = f"Gives, for each index that both a and b have, the value of a where {test[0]} and else the value of b; after that the rest of the longer one.", "ints", f"int k = 0, i = 0;\nfor (; i < n && i < n_b; i++) {{\n    int x = a[i], y = b[i];\n    out[k++] = {test[1]} ? x : y;\n}}\nfor (int j = i; j < n; j++) out[k++] = a[j];\nfor (int j = i; j < n_b; j++) out[k++] = b[j];\nreturn k;", f"out = [x if {py(test[1])} else y for x, y in zip(a, b)]\nreturn out + a[len(out):] + b[len(out):]"
    return Problem(kind if rng.random() < 0.6 else f"both_{number % 97}", f"two/{kind}", doc, [("a", "ints"), ("b", "ints")], result, c, p, lambda r: [small_ints(r, -12, 15, 8), small_ints(r, -12, 15, 8)])


def machines(rng, number):
    """A small state machine driven by the letters of a text."""
    up, down, lo, hi = rng.randint(1, 4), rng.randint(1, 3), -rng.randint(2, 9), rng.randint(4, 12)
    rules = [("'+'", f"adds {up} to the counter", f"v += {up};", f"v += {up}"), ("'-'", f"subtracts {down} from it", f"v -= {down};", f"v -= {down}"),
             ("'*'", "doubles it", "v *= 2;", "v *= 2"), ("'0'", "sets it to zero", "v = 0;", "v = 0"), ("'~'", "negates it", "v = -v;", "v = -v")]
    chosen = rules[:2] + rng.sample(rules[2:], rng.randint(1, 2))
    limit = rng.choice(("none", "clamp", "stop"))
    kind = rng.choice(("final", "highest", "zeros", "trace"))
    doc = "A counter starts at 0 and each character of s changes it: " + ", ".join(f"{c} {w}" for c, w, _, _ in chosen) + "; other characters do nothing. "
    c, p = [], []
    for i, (ch, _, a, b) in enumerate(chosen): c += [f"    {'else ' if i else ''}if (c == {ch}) {a}"]; p += [f"    {'el' if i else ''}if c == {ch}:", f"        {b}"]
    if limit == "clamp" or any(ch == "'*'" for ch, *_ in chosen): doc += f"After each change it is kept within {lo} and {hi}. "; c += [f"    if (v < {lo}) v = {lo};", f"    if (v > {hi}) v = {hi};"]; p += [f"    v = max({lo}, min({hi}, v))"]
    elif limit == "stop": doc += f"When it is larger than {hi} after a change, the rest of s is not read. "; 
    result, before_c, each_c, after_c, before_p, each_p, after_p = {
        "final": ("int", [], [], ["return v;"], [], [], ["return v"]), "highest": ("int", ["int best = 0;"], ["    if (v > best) best = v;"], ["return best;"], ["best = 0"], ["    best = max(best, v)"], ["return best"]),
        "zeros": ("int", ["int zeros = 0;"], ["    if (v == 0) zeros++;"], ["return zeros;"], ["zeros = 0"], ["    if v == 0:", "        zeros += 1"], ["return zeros"]),
        "trace": ("ints", ["int k = 0;"], ["    out[k++] = v;"], ["return k;"], ["out = []"], ["    out.append(v)"], ["return out"])}[kind]
    doc += {"final": "Returns its last value.", "highest": "Returns the highest value that it had, the 0 at the start included.", "zeros": "Returns after how many characters it is 0.", "trace": "Gives its value after each character that was read."}[kind]
    stop_c, stop_p = ([f"    if (v > {hi}) break;"], [f"    if v > {hi}:", "        break"]) if limit == "stop" and "rest of s" in doc else ([], [])
    return Problem(f"counter_{kind}" if rng.random() < 0.6 else f"machine_{number % 97}", f"machines/{kind}", doc, [("s", "str")], result, "\n".join(["int v = 0;", *before_c, "for (int i = 0; s[i]; i++) {", "    char c = s[i];", *c, *each_c, *stop_c, "}", *after_c]), "\n".join(["v = 0", *before_p, "for c in s:", *p, *each_p, *stop_p, *after_p]), lambda r: ["".join(r.choice("+++--*0~x") for _ in range(r.randint(0, 12)))])


def grids(rng, number):
    kind = rng.choice(("grid_rows", "grid_best", "grid_border", "grid_path", "grid_peaks", "grid_flip"))
    head = "a holds a table row by row, each row w values wide (w > 0, and n is a multiple of w). " 
    rows_c, rows_p = "int rows = n / w;\n", "rows = len(a) // w\n"
    k = rng.randint(2, 9)
    if kind == "grid_rows": doc, result, c, p = f"Gives the sum of each row, where values divisible by {k} count as 0.", "ints", rows_c + f"for (int r = 0; r < rows; r++) {{\n    out[r] = 0;\n    for (int i = 0; i < w; i++)\n        if (a[r * w + i] % {k} != 0) out[r] += a[r * w + i];\n}}\nreturn rows;", rows_p + f"return [sum(x for x in a[r * w:(r + 1) * w] if x % {k} != 0) for r in range(rows)]"
    elif kind == "grid_best": doc, result, c, p = f"Returns the number (from 0) of the column with the largest sum; the leftmost of equals; -1 if there is no row.", "int", rows_c + "int best = -1, most = 0;\nfor (int i = 0; i < w && rows > 0; i++) {\n    int total = 0;\n    for (int r = 0; r < rows; r++) total += a[r * w + i];\n    if (best < 0 || total > most) {\n        best = i;\n        most = total;\n    }\n}\nreturn best;", rows_p + "if rows == 0:\n    return -1\nsums = [sum(a[i::w]) for i in range(w)]\nreturn sums.index(max(sums))"
    elif kind == "grid_border": doc, result, c, p = "Returns the sum of the values on the border (first and last row, first and last column), each counted once.", "int", rows_c + "int total = 0;\nfor (int i = 0; i < n; i++) {\n    int r = i / w, k = i % w;\n    if (r == 0 || r == rows - 1 || k == 0 || k == w - 1) total += a[i];\n}\nreturn total;", rows_p + "total = 0\nfor i, x in enumerate(a):\n    r, k = divmod(i, w)\n    if r in (0, rows - 1) or k in (0, w - 1):\n        total += x\nreturn total"
    elif kind == "grid_path": doc, result, c, p = "Starts in the first row at column 0 and goes down row by row; in each row, before its value is added, it moves one column to the right if that value is larger than the one below (there must be one). Returns the sum of one value a row; 0 for no row.", "int", rows_c + "int total = 0, k = 0;\nfor (int r = 0; r < rows; r++) {\n    if (k + 1 < w && a[r * w + k + 1] > a[r * w + k]) k++;\n    total += a[r * w + k];\n}\nreturn total;", rows_p + "total = k = 0\nfor r in range(rows):\n    if k + 1 < w and a[r * w + k + 1] > a[r * w + k]:\n        k += 1\n    total += a[r * w + k]\nreturn total"
    elif kind == "grid_peaks": doc, result, c, p = "Returns how many values are larger than each of their neighbours left, right, above and below (as many as there are).", "int", "int count = 0;\nfor (int i = 0; i < n; i++) {\n    int k = i % w;\n    bool peak = true;\n    if (k > 0 && a[i - 1] >= a[i]) peak = false;\n    if (k < w - 1 && a[i + 1] >= a[i]) peak = false;\n    if (i >= w && a[i - w] >= a[i]) peak = false;\n    if (i + w < n && a[i + w] >= a[i]) peak = false;\n    if (peak) count++;\n}\nreturn count;", "count = 0\nfor i, x in enumerate(a):\n    near = []\n    if i % w > 0: near.append(a[i - 1])\n    if i % w < w - 1: near.append(a[i + 1])\n    if i >= w: near.append(a[i - w])\n    if i + w < len(a): near.append(a[i + w])\n    count += all(x > y for y in near)\nreturn count"
    else: doc, result, c, p = f"Gives the table with {'its rows in reverse order' if k % 2 else 'each row reversed'}, again row by row.", "ints", rows_c + f"for (int r = 0; r < rows; r++)\n    for (int i = 0; i < w; i++)\n        out[r * w + i] = a[{'(rows - 1 - r) * w + i' if k % 2 else 'r * w + w - 1 - i'}];\nreturn n;", rows_p + ("return [x for r in range(rows - 1, -1, -1) for x in a[r * w:(r + 1) * w]]" if k % 2 else "return [x for r in range(rows) for x in reversed(a[r * w:(r + 1) * w])]")

    def table(r):
        w, rows = r.randint(1, 4), r.randint(0, 4)
        return [[r.randint(-9, 20) for _ in range(w * rows)], w]
    return Problem(kind if rng.random() < 0.6 else f"table_{number % 97}", f"grids/{kind}", head + doc, [("a", "ints"), ("w", "int")], result, c, p, table)


GENERATORS = [(over_values, 10), (over_characters, 7), (over_words, 3), (over_numbers, 4), (over_pairs, 4), (over_two, 4), (machines, 3), (grids, 2)]
