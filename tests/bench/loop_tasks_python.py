"""The Python tasks of the loop's benchmark; see loop_tasks_c.py."""

TASKS = [
    dict(name="chunks", kind="fix", function="chunks", bug=("range(0, len(items), n)", "range(0, len(items) - n, n)"),
         source='''
def chunks(items, n):
    """Splits a list into lists of n items; the last one may be shorter."""
    return [items[i:i + n] for i in range(0, len(items), n)]
''', visible='''
self.assertEqual(chunks([1, 2, 3, 4], 2), [[1, 2], [3, 4]])
self.assertEqual(chunks([1, 2, 3], 2), [[1, 2], [3]])
''', hidden='''
self.assertEqual(chunks([], 3), [])
self.assertEqual(chunks([1], 3), [[1]])
self.assertEqual(chunks(list(range(7)), 3), [[0, 1, 2], [3, 4, 5], [6]])
'''),
    dict(name="merge_sorted", kind="fix", function="merge",
         bug=("    return out + a[i:] + b[j:]\n", "    return out\n"), source='''
def merge(a, b):
    """Merges two sorted lists into one sorted list."""
    out, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            out.append(a[i])
            i += 1
        else:
            out.append(b[j])
            j += 1
    return out + a[i:] + b[j:]
''', visible='''
self.assertEqual(merge([1, 3], [2, 4]), [1, 2, 3, 4])
self.assertEqual(merge([], [5]), [5])
''', hidden='''
self.assertEqual(merge([5], []), [5])
self.assertEqual(merge([1, 1], [1]), [1, 1, 1])
self.assertEqual(merge([1, 9, 10], [2]), [1, 2, 9, 10])
self.assertEqual(merge([2], [1, 9, 10]), [1, 2, 9, 10])
'''),
    dict(name="roman", kind="fix", function="from_roman",
         bug=("        if value < previous:\n            total -= value\n        else:\n            total += value\n",
              "        total += value\n"), source='''
VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def from_roman(text):
    """The number that a Roman numeral stands for; a smaller digit before a larger one is subtracted."""
    total = previous = 0
    for digit in reversed(text):
        value = VALUES[digit]
        if value < previous:
            total -= value
        else:
            total += value
        previous = value
    return total
''', visible='''
self.assertEqual(from_roman("VIII"), 8)
self.assertEqual(from_roman("IX"), 9)
''', hidden='''
self.assertEqual(from_roman("MCMXCIV"), 1994)
self.assertEqual(from_roman("XL"), 40)
self.assertEqual(from_roman("III"), 3)
self.assertEqual(from_roman(""), 0)
'''),
    dict(name="default_list", kind="fix", function="collect",
         bug=("def collect(item, into=None):\n    if into is None:\n        into = []\n",
              "def collect(item, into=[]):\n"), source='''
def collect(item, into=None):
    if into is None:
        into = []
    into.append(item)
    return into


def pair(a, b):
    """Both collected into one new list."""
    return collect(b, collect(a))
''', visible='''
self.assertEqual(collect(1), [1])
self.assertEqual(collect(2), [2])
self.assertEqual(pair(3, 4), [3, 4])
''', hidden='''
self.assertEqual(pair(1, 2), [1, 2])
self.assertEqual(pair(1, 2), [1, 2])
shared = [0]
self.assertIs(collect(1, shared), shared)
self.assertEqual(shared, [0, 1])
'''),
    dict(name="word_counts", kind="fix", function="word_counts",
         bug=("        word = word.strip(\".,;:!?\").lower()\n", "        word = word.strip(\".,;:!?\")\n"), source='''
def word_counts(text):
    """How often each word occurs, without regard to case and to punctuation around it."""
    counts = {}
    for word in text.split():
        word = word.strip(".,;:!?").lower()
        if word:
            counts[word] = counts.get(word, 0) + 1
    return counts
''', visible='''
self.assertEqual(word_counts("The cat. The dog, the end!"), {"the": 3, "cat": 1, "dog": 1, "end": 1})
''', hidden='''
self.assertEqual(word_counts(""), {})
self.assertEqual(word_counts("A a ... !"), {"a": 2})
self.assertEqual(word_counts("don't DON'T"), {"don't": 2})
'''),
    dict(name="flatten", kind="fix", function="flatten",
         bug=("            out.extend(flatten(item))\n", "            out.extend(item)\n"), source='''
def flatten(items):
    """One list of all that is in a list of lists of any depth."""
    out = []
    for item in items:
        if isinstance(item, list):
            out.extend(flatten(item))
        else:
            out.append(item)
    return out
''', visible='''
self.assertEqual(flatten([1, [2, 3]]), [1, 2, 3])
self.assertEqual(flatten([1, [2, [3, [4]]]]), [1, 2, 3, 4])
''', hidden='''
self.assertEqual(flatten([]), [])
self.assertEqual(flatten([[], [[]]]), [])
self.assertEqual(flatten([["a"], "bc"]), ["a", "bc"])
'''),
    dict(name="moving_average", kind="fix", function="moving_average",
         bug=("range(len(values) - n + 1)", "range(len(values) - n)"), source='''
def moving_average(values, n):
    """The means of all n neighbouring values."""
    return [sum(values[i:i + n]) / n for i in range(len(values) - n + 1)]
''', visible='''
self.assertEqual(moving_average([1, 3, 5], 2), [2, 4])
''', hidden='''
self.assertEqual(moving_average([4], 1), [4])
self.assertEqual(moving_average([1, 2, 3, 6], 3), [2, 11 / 3])
self.assertEqual(moving_average([1], 2), [])
'''),
    dict(name="bank_account", kind="fix", function="withdraw",
         bug=("        if amount <= 0 or amount > self.balance:\n", "        if amount <= 0:\n"), source='''
class Account:
    """Money that never falls under zero."""

    def __init__(self, balance=0):
        self.balance = balance

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount

    def withdraw(self, amount):
        """Takes amount out; ValueError if it is not positive or more than there is."""
        if amount <= 0 or amount > self.balance:
            raise ValueError("cannot withdraw that amount")
        self.balance -= amount
        return amount
''', visible='''
account = Account(10)
self.assertEqual(account.withdraw(4), 4)
with self.assertRaises(ValueError):
    account.withdraw(7)
self.assertEqual(account.balance, 6)
''', hidden='''
account = Account(5)
self.assertEqual(account.withdraw(5), 5)
self.assertEqual(account.balance, 0)
with self.assertRaises(ValueError):
    account.withdraw(1)
with self.assertRaises(ValueError):
    account.withdraw(-1)
self.assertEqual(account.balance, 0)
'''),
    dict(name="transpose", kind="fix", function="transpose",
         bug=("range(len(rows[0]))", "range(len(rows))"), source='''
def transpose(rows):
    """Rows become columns; all rows have the same length."""
    if not rows:
        return []
    return [[row[i] for row in rows] for i in range(len(rows[0]))]
''', visible='''
self.assertEqual(transpose([[1, 2, 3], [4, 5, 6]]), [[1, 4], [2, 5], [3, 6]])
''', hidden='''
self.assertEqual(transpose([]), [])
self.assertEqual(transpose([[1], [2]]), [[1, 2]])
self.assertEqual(transpose([[7]]), [[7]])
'''),
    dict(name="parse_pairs", kind="fix", function="parse_pairs",
         bug=("line.split(\"=\", 1)", "line.split(\"=\")"), source='''
def parse_pairs(text):
    """Lines of key=value as a dict; empty lines and lines that start with # are left out. A value may hold = too."""
    pairs = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, value = line.split("=", 1)
        pairs[key.strip()] = value.strip()
    return pairs
''', visible='''
self.assertEqual(parse_pairs("a=1\\n# no\\n\\nb = 2"), {"a": "1", "b": "2"})
self.assertEqual(parse_pairs("url=x?y=z"), {"url": "x?y=z"})
''', hidden='''
self.assertEqual(parse_pairs(""), {})
self.assertEqual(parse_pairs("k==="), {"k": "=="})
self.assertEqual(parse_pairs("  # c\\nq="), {"q": ""})
'''),
    dict(name="dedupe", kind="fix", function="dedupe",
         bug=("    seen, out = set(), []\n    for item in items:\n        if item not in seen:\n            seen.add(item)\n"
              "            out.append(item)\n    return out\n", "    return sorted(set(items))\n"), source='''
def dedupe(items):
    """The items without repetitions, in the order in which they come first."""
    seen, out = set(), []
    for item in items:
        if item not in seen:
            seen.add(item)
            out.append(item)
    return out
''', visible='''
self.assertEqual(dedupe([3, 1, 3, 2, 1]), [3, 1, 2])
''', hidden='''
self.assertEqual(dedupe([]), [])
self.assertEqual(dedupe(["b", "a", "b"]), ["b", "a"])
self.assertEqual(dedupe([1, 1]), [1])
'''),
    # --- functions to write
    dict(name="is_prime", kind="write", function="is_prime", source='''
def is_prime(n):
    """True if n is a prime number."""
    if n < 2:
        return False
    i = 2
    while i * i <= n:
        if n % i == 0:
            return False
        i += 1
    return True
''', visible='''
self.assertTrue(is_prime(2))
self.assertTrue(is_prime(13))
self.assertFalse(is_prime(9))
self.assertFalse(is_prime(1))
''', hidden='''
self.assertFalse(is_prime(0))
self.assertFalse(is_prime(-7))
self.assertTrue(is_prime(97))
self.assertFalse(is_prime(91))
self.assertFalse(is_prime(25))
self.assertTrue(is_prime(3))
'''),
    dict(name="camel_to_snake", kind="write", function="camel_to_snake", source='''
def camel_to_snake(name):
    """Turns "someName" and "SomeName" into "some_name": a capital letter becomes an underscore (not at the start) and
    a small letter."""
    out = ""
    for i, c in enumerate(name):
        if c.isupper():
            out += ("_" if i else "") + c.lower()
        else:
            out += c
    return out
''', visible='''
self.assertEqual(camel_to_snake("someName"), "some_name")
self.assertEqual(camel_to_snake("SomeName"), "some_name")
''', hidden='''
self.assertEqual(camel_to_snake(""), "")
self.assertEqual(camel_to_snake("already_snake"), "already_snake")
self.assertEqual(camel_to_snake("aBC"), "a_b_c")
self.assertEqual(camel_to_snake("X1Y"), "x1_y")
'''),
    dict(name="group_by_length", kind="write", function="group_by_length", source='''
def group_by_length(words):
    """A dict from length to the sorted list of the different words of that length."""
    groups = {}
    for word in sorted(set(words)):
        groups.setdefault(len(word), []).append(word)
    return groups
''', visible='''
self.assertEqual(group_by_length(["b", "aa", "a", "b"]), {1: ["a", "b"], 2: ["aa"]})
''', hidden='''
self.assertEqual(group_by_length([]), {})
self.assertEqual(group_by_length(["", "x"]), {0: [""], 1: ["x"]})
self.assertEqual(group_by_length(["zz", "ab", "zz"]), {2: ["ab", "zz"]})
'''),
    dict(name="format_duration", kind="write", function="format_duration", source='''
def format_duration(seconds):
    """Whole seconds as "1h 2m 3s"; parts that are zero are left out, and 0 is "0s"."""
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n]
    return " ".join(parts) or "0s"
''', visible='''
self.assertEqual(format_duration(3723), "1h 2m 3s")
self.assertEqual(format_duration(60), "1m")
self.assertEqual(format_duration(0), "0s")
''', hidden='''
self.assertEqual(format_duration(59), "59s")
self.assertEqual(format_duration(3600), "1h")
self.assertEqual(format_duration(3601), "1h 1s")
self.assertEqual(format_duration(90000), "25h")
'''),
    dict(name="longest_run", kind="write", function="longest_run", source='''
def longest_run(items):
    """The length of the longest run of equal neighbours."""
    best = run = 0
    for i, item in enumerate(items):
        run = run + 1 if i and items[i - 1] == item else 1
        best = max(best, run)
    return best
''', visible='''
self.assertEqual(longest_run([1, 1, 2, 2, 2, 1]), 3)
self.assertEqual(longest_run([]), 0)
''', hidden='''
self.assertEqual(longest_run([5]), 1)
self.assertEqual(longest_run([1, 2, 3]), 1)
self.assertEqual(longest_run("aabbb"), 3)
self.assertEqual(longest_run([2, 2, 1]), 2)
'''),
    dict(name="parse_range", kind="write", function="parse_range", source='''
def parse_range(text):
    """The numbers of a list like "1-3,7": single numbers and ranges with both ends, sorted, each once."""
    numbers = set()
    for part in text.split(","):
        part = part.strip()
        if not part:
            continue
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return sorted(numbers)
''', visible='''
self.assertEqual(parse_range("1-3,7"), [1, 2, 3, 7])
self.assertEqual(parse_range("5"), [5])
self.assertEqual(parse_range(""), [])
''', hidden='''
self.assertEqual(parse_range("7,1-3"), [1, 2, 3, 7])
self.assertEqual(parse_range("1-3, 2-4"), [1, 2, 3, 4])
self.assertEqual(parse_range("2,2,2"), [2])
self.assertEqual(parse_range("10-12"), [10, 11, 12])
'''),
    dict(name="luhn", kind="write", function="luhn", source='''
def luhn(number):
    """Checks a string of digits by Luhn's rule: from the right, every second digit is doubled (less 9 if over 9), and
    the sum must be a multiple of ten. Blanks do not count."""
    total = 0
    for i, digit in enumerate(reversed(number.replace(" ", ""))):
        value = int(digit)
        if i % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0
''', visible='''
self.assertTrue(luhn("4539 1488 0343 6467"))
self.assertFalse(luhn("8273 1232 7352 0569"))
''', hidden='''
self.assertTrue(luhn("0"))
self.assertTrue(luhn("59"))
self.assertFalse(luhn("58"))
self.assertTrue(luhn("18"))
self.assertTrue(luhn("79927398713"))
self.assertFalse(luhn("79927398710"))
'''),
    dict(name="common_prefix", kind="write", function="common_prefix", source='''
def common_prefix(words):
    """The longest string with which all words start; empty for no words."""
    if not words:
        return ""
    first, last = min(words), max(words)
    n = 0
    while n < len(first) and first[n] == last[n]:
        n += 1
    return first[:n]
''', visible='''
self.assertEqual(common_prefix(["flower", "flow", "flight"]), "fl")
self.assertEqual(common_prefix([]), "")
''', hidden='''
self.assertEqual(common_prefix(["a"]), "a")
self.assertEqual(common_prefix(["a", "b"]), "")
self.assertEqual(common_prefix(["ab", "abc"]), "ab")
self.assertEqual(common_prefix(["", "x"]), "")
'''),
    dict(name="matrix_spiral", kind="write", function="spiral", source='''
def spiral(rows):
    """The values of a rectangular matrix clockwise from the outside in, starting at the top left."""
    out = []
    rows = [list(row) for row in rows]
    while rows:
        out += rows.pop(0)
        rows = [list(row) for row in zip(*rows)][::-1]
    return out
''', visible='''
self.assertEqual(spiral([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), [1, 2, 3, 6, 9, 8, 7, 4, 5])
self.assertEqual(spiral([[1, 2]]), [1, 2])
''', hidden='''
self.assertEqual(spiral([]), [])
self.assertEqual(spiral([[1], [2], [3]]), [1, 2, 3])
self.assertEqual(spiral([[1, 2, 3, 4], [5, 6, 7, 8]]), [1, 2, 3, 4, 8, 7, 6, 5])
self.assertEqual(spiral([[1, 2], [3, 4], [5, 6]]), [1, 2, 4, 6, 5, 3])
'''),
    dict(name="change", kind="write", function="change", source='''
def change(amount, coins):
    """The smallest number of coins that make up amount (each coin any number of times), or -1 if it cannot be made."""
    best = [0] + [None] * amount
    for value in range(1, amount + 1):
        for coin in coins:
            if coin <= value and best[value - coin] is not None:
                if best[value] is None or best[value - coin] + 1 < best[value]:
                    best[value] = best[value - coin] + 1
    return -1 if best[amount] is None else best[amount]
''', visible='''
self.assertEqual(change(11, [1, 2, 5]), 3)
self.assertEqual(change(3, [2]), -1)
self.assertEqual(change(0, [1]), 0)
''', hidden='''
self.assertEqual(change(6, [1, 3, 4]), 2)
self.assertEqual(change(7, [2, 4]), -1)
self.assertEqual(change(100, [25, 10]), 4)
self.assertEqual(change(30, [25, 10]), 3)
'''),
]
