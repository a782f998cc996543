"""Tasks of the loop's benchmark that nothing is developed with: other kinds of project than those of loop_tasks_c.py and
loop_tasks_python.py, run only to measure (`loop.py --held`). The form is theirs."""

C_TASKS = [
    dict(name="bitset_next", kind="fix", function="bitset_next",
         bug=("    for (int i = from; i < SET_BITS; i++)", "    for (int i = from + 1; i < SET_BITS; i++)"), source=r'''
enum { SET_BITS = 64 };

typedef struct Set {
    unsigned char bytes[SET_BITS / 8];
} Set;

void bitset_add(Set *set, int i)
{
    set->bytes[i / 8] |= (unsigned char)(1 << i % 8);
}

// The first member that is not below from, or -1.
int bitset_next(const Set *set, int from)
{
    for (int i = from; i < SET_BITS; i++)
        if (set->bytes[i / 8] >> i % 8 & 1) return i;
    return -1;
}
''', visible=r'''
    Set s = {{0}};
    bitset_add(&s, 3);
    bitset_add(&s, 40);
    EQ(bitset_next(&s, 0), 3);
    EQ(bitset_next(&s, 3), 3);
    EQ(bitset_next(&s, 41), -1);
''', hidden=r'''
    Set s = {{0}};
    bitset_add(&s, 0);
    bitset_add(&s, 63);
    EQ(bitset_next(&s, 0), 0);
    EQ(bitset_next(&s, 1), 63);
    EQ(bitset_next(&s, 63), 63);
'''),
    dict(name="queue_grow", kind="fix", function="queue_grow",
         bug=("        slots[i] = queue->slots[(queue->head + i) % queue->cap];", "        slots[i] = queue->slots[i];"),
         source=r'''
#include <stdlib.h>

typedef struct Queue {
    int *slots;
    int head, n, cap;
} Queue;

// Makes room for twice as many; what is in it keeps its order.
static void queue_grow(Queue *queue)
{
    int cap = queue->cap ? 2 * queue->cap : 2;
    int *slots = malloc((size_t)cap * sizeof *slots);
    for (int i = 0; i < queue->n; i++)
        slots[i] = queue->slots[(queue->head + i) % queue->cap];
    free(queue->slots);
    queue->slots = slots;
    queue->head = 0;
    queue->cap = cap;
}

void queue_put(Queue *queue, int value)
{
    if (queue->n == queue->cap) queue_grow(queue);
    queue->slots[(queue->head + queue->n++) % queue->cap] = value;
}

int queue_take(Queue *queue)
{
    int value = queue->slots[queue->head];
    queue->head = (queue->head + 1) % queue->cap;
    queue->n--;
    return value;
}
''', visible=r'''
    Queue q = {0};
    queue_put(&q, 1);
    queue_put(&q, 2);
    EQ(queue_take(&q), 1);
    queue_put(&q, 3);
    queue_put(&q, 4);
    EQ(queue_take(&q), 2);
    EQ(queue_take(&q), 3);
    EQ(queue_take(&q), 4);
''', hidden=r'''
    Queue q = {0};
    for (int i = 0; i < 3; i++)
        queue_put(&q, i);
    for (int i = 0; i < 40; i++) {
        EQ(queue_take(&q), i);
        queue_put(&q, i + 3);
        if (i % 7 == 0) queue_put(&q, i + 3), queue_put(&q, 0), q.n -= 2;
    }
'''),
    dict(name="escape_json", kind="fix", function="escape",
         bug=("        if (*s == '\"' || *s == '\\\\') *out++ = '\\\\';", "        if (*s == '\"') *out++ = '\\\\';"), source=r'''
// Copies s to out, which is large enough, with a backslash before each quote and each backslash.
void escape(const char *s, char *out)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') *out++ = '\\';
        *out++ = *s;
    }
    *out = '\0';
}
''', visible=r'''
    char out[64];
    escape("say \"hi\"", out);
    STREQ(out, "say \\\"hi\\\"");
    escape("a\\b", out);
    STREQ(out, "a\\\\b");
''', hidden=r'''
    char out[64];
    escape("", out);
    STREQ(out, "");
    escape("\\\"", out);
    STREQ(out, "\\\\\\\"");
    escape("'n'", out);
    STREQ(out, "'n'");
'''),
    dict(name="tree_depth", kind="write", function="tree_depth", source=r'''
#include <stddef.h>

typedef struct Tree {
    struct Tree *left, *right;
    int key;
} Tree;

// How many nodes the longest way from the root to a leaf has; 0 for no tree.
int tree_depth(const Tree *tree)
{
    if (!tree) return 0;
    int left = tree_depth(tree->left), right = tree_depth(tree->right);
    return 1 + (left > right ? left : right);
}
''', visible=r'''
    Tree a = {0}, b = {0}, c = {0};
    EQ(tree_depth(0), 0);
    a.left = &b;
    EQ(tree_depth(&a), 2);
    b.right = &c;
    EQ(tree_depth(&a), 3);
''', hidden=r'''
    Tree a = {0}, b = {0}, c = {0}, d = {0};
    EQ(tree_depth(&a), 1);
    a.left = &b;
    a.right = &c;
    c.left = &d;
    EQ(tree_depth(&a), 3);
    EQ(tree_depth(&c), 2);
'''),
    dict(name="checksum_fletcher", kind="write", function="fletcher16", source=r'''
#include <stddef.h>

// Fletcher's checksum: two sums modulo 255, the first of the bytes, the second of the first one after each byte. The
// result has the second in its high byte and the first in its low byte.
unsigned fletcher16(const unsigned char *bytes, size_t n)
{
    unsigned first = 0, second = 0;
    for (size_t i = 0; i < n; i++) {
        first = (first + bytes[i]) % 255;
        second = (second + first) % 255;
    }
    return second << 8 | first;
}
''', visible=r'''
    EQ(fletcher16((const unsigned char *)"abcde", 5), 0xC8F0);
    EQ(fletcher16((const unsigned char *)"", 0), 0);
''', hidden=r'''
    EQ(fletcher16((const unsigned char *)"abcdef", 6), 0x2057);
    EQ(fletcher16((const unsigned char *)"abcdefgh", 8), 0x0627);
'''),
    dict(name="split_fields", kind="write", function="split_fields", source=r'''
// Cuts s in place at each separator, stores where the fields begin in fields[max] and returns how many there are. The
// last field that fits keeps the rest, separators included. An empty text is one empty field.
int split_fields(char *s, char separator, char **fields, int max)
{
    int n = 0;
    if (max <= 0) return 0;
    fields[n++] = s;
    for (; *s && n < max; s++) {
        if (*s != separator) continue;
        *s = '\0';
        fields[n++] = s + 1;
    }
    return n;
}
''', visible=r'''
    char a[] = "a:bc::d", b[] = "1,2,3";
    char *f[8];
    EQ(split_fields(a, ':', f, 8), 4);
    STREQ(f[1], "bc");
    STREQ(f[2], "");
    STREQ(f[3], "d");
    EQ(split_fields(b, ',', f, 2), 2);
    STREQ(f[1], "2,3");
''', hidden=r'''
    char a[] = "", b[] = "x", c[] = ":";
    char *f[8];
    EQ(split_fields(a, ':', f, 8), 1);
    STREQ(f[0], "");
    EQ(split_fields(b, ':', f, 8), 1);
    EQ(split_fields(c, ':', f, 8), 2);
    STREQ(f[1], "");
'''),
]

PYTHON_TASKS = [
    dict(name="lru_cache", kind="fix", function="get",
         bug=("        self.items[key] = self.items.pop(key)\n        return self.items[key]\n",
              "        return self.items[key]\n"), source='''
class Cache:
    """Keeps the n items that were used last."""

    def __init__(self, n):
        self.n = n
        self.items = {}

    def get(self, key):
        """The item, which counts as used by it; None if there is none."""
        if key not in self.items:
            return None
        self.items[key] = self.items.pop(key)
        return self.items[key]

    def put(self, key, value):
        self.items.pop(key, None)
        self.items[key] = value
        while len(self.items) > self.n:
            del self.items[next(iter(self.items))]
''', visible='''
cache = Cache(2)
cache.put("a", 1)
cache.put("b", 2)
self.assertEqual(cache.get("a"), 1)
cache.put("c", 3)
self.assertIsNone(cache.get("b"))
self.assertEqual(cache.get("a"), 1)
''', hidden='''
cache = Cache(1)
self.assertIsNone(cache.get("x"))
cache.put("x", 0)
self.assertEqual(cache.get("x"), 0)
cache.put("y", 5)
self.assertIsNone(cache.get("x"))
self.assertEqual(cache.get("y"), 5)
'''),
    dict(name="interval_merge", kind="fix", function="merge_intervals",
         bug=("            merged[-1] = (merged[-1][0], max(merged[-1][1], end))\n",
              "            merged[-1] = (merged[-1][0], end)\n"), source='''
def merge_intervals(intervals):
    """Intervals (start, end) that touch or overlap become one; sorted by their starts."""
    merged = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
''', visible='''
self.assertEqual(merge_intervals([(1, 3), (2, 4), (6, 7)]), [(1, 4), (6, 7)])
self.assertEqual(merge_intervals([(1, 9), (2, 3)]), [(1, 9)])
''', hidden='''
self.assertEqual(merge_intervals([]), [])
self.assertEqual(merge_intervals([(5, 6), (1, 2)]), [(1, 2), (5, 6)])
self.assertEqual(merge_intervals([(1, 2), (2, 3)]), [(1, 3)])
self.assertEqual(merge_intervals([(0, 10), (1, 2), (3, 12)]), [(0, 12)])
'''),
    dict(name="template", kind="fix", function="fill",
         bug=("            out.append(str(values.get(name, \"\")))\n", "            out.append(str(values[name]))\n"),
         source='''
def fill(template, values):
    """Replaces {name} by the value of that name, by nothing if there is none; {{ stands for one brace."""
    out, i = [], 0
    while i < len(template):
        if template.startswith("{{", i):
            out.append("{")
            i += 2
        elif template[i] == "{" and "}" in template[i:]:
            end = template.index("}", i)
            name = template[i + 1:end].strip()
            out.append(str(values.get(name, "")))
            i = end + 1
        else:
            out.append(template[i])
            i += 1
    return "".join(out)
''', visible='''
self.assertEqual(fill("Dear { who },", {"who": "Ada"}), "Dear Ada,")
self.assertEqual(fill("{a}-{b}", {"a": 1}), "1-")
''', hidden='''
self.assertEqual(fill("", {}), "")
self.assertEqual(fill("{{x}", {"x": 1}), "{x}")
self.assertEqual(fill("open { brace", {}), "open { brace")
self.assertEqual(fill("{none}", {}), "")
'''),
    dict(name="wrap_text", kind="write", function="wrap", source='''
def wrap(text, width):
    """Lines of at most width characters, broken at blanks; a longer word has a line of its own."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = line + " " + word if line else word
    return lines + [line] if line else lines
''', visible='''
self.assertEqual(wrap("the quick brown fox", 10), ["the quick", "brown fox"])
self.assertEqual(wrap("a bb", 4), ["a bb"])
''', hidden='''
self.assertEqual(wrap("", 5), [])
self.assertEqual(wrap("incomprehensible", 5), ["incomprehensible"])
self.assertEqual(wrap("a incomprehensible b", 5), ["a", "incomprehensible", "b"])
self.assertEqual(wrap("aa bb cc", 5), ["aa bb", "cc"])
'''),
    dict(name="topological", kind="write", function="order", source='''
def order(needs):
    """An order in which each name comes after all that it needs (a dict from names to lists of names); of those that
    could come next always the smallest. None if there is a circle."""
    names = set(needs) | {name for some in needs.values() for name in some}
    done = []
    while names:
        ready = sorted(name for name in names if all(need in done for need in needs.get(name, [])))
        if not ready:
            return None
        done.append(ready[0])
        names.remove(ready[0])
    return done
''', visible='''
self.assertEqual(order({"app": ["lib"], "lib": ["base"]}), ["base", "lib", "app"])
self.assertIsNone(order({"a": ["b"], "b": ["a"]}))
''', hidden='''
self.assertEqual(order({}), [])
self.assertEqual(order({"b": [], "a": []}), ["a", "b"])
self.assertEqual(order({"x": ["c", "a"], "d": ["x"]}), ["a", "c", "x", "d"])
self.assertIsNone(order({"a": ["a"]}))
'''),
    dict(name="bowling", kind="write", function="score", source='''
def score(rolls):
    """The score of a whole game of ten-pin bowling, given the pins of each roll: ten pins with the first roll of a frame
    (a strike) add the next two rolls, with its second (a spare) the next one. The tenth frame has its extra rolls."""
    total = at = 0
    for _ in range(10):
        if rolls[at] == 10:
            total += 10 + rolls[at + 1] + rolls[at + 2]
            at += 1
        elif rolls[at] + rolls[at + 1] == 10:
            total += 10 + rolls[at + 2]
            at += 2
        else:
            total += rolls[at] + rolls[at + 1]
            at += 2
    return total
''', visible='''
self.assertEqual(score([1] * 20), 20)
self.assertEqual(score([10] * 12), 300)
self.assertEqual(score([5, 5, 3] + [0] * 17), 16)
''', hidden='''
self.assertEqual(score([0] * 20), 0)
self.assertEqual(score([10, 3, 4] + [0] * 16), 24)
self.assertEqual(score([0] * 18 + [10, 2, 3]), 15)
self.assertEqual(score([5] * 21), 150)
self.assertEqual(score([9, 1] * 10 + [9]), 190)
'''),
]
