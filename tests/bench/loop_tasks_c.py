"""The C tasks of the loop's benchmark: a small library, tests that its project has, and tests that only the judge of
the benchmark sees. A task to fix names the bug that is planted (what stands there, what is put there); a task to write
loses the body of its function. Sources and tests are correct as they stand here, which loop.py --check shows."""

TASKS = [
    dict(name="clamp_range", kind="fix", function="clamp", bug=("return hi;", "return lo;"), source=r'''
// v, limited to lo..hi.
int clamp(int v, int lo, int hi)
{
    if (v < lo) return lo;
    if (v > hi) return hi;
    return v;
}
''', visible=r'''
    EQ(clamp(5, 0, 10), 5);
    EQ(clamp(-3, 0, 10), 0);
    EQ(clamp(42, 0, 10), 10);
''', hidden=r'''
    EQ(clamp(10, 0, 10), 10);
    EQ(clamp(11, -5, 10), 10);
    EQ(clamp(-6, -5, 10), -5);
    EQ(clamp(7, 7, 7), 7);
'''),
    dict(name="binary_search", kind="fix", function="find_sorted", bug=("lo = mid + 1;", "lo = mid;"), source=r'''
// The index of key in the n sorted values of a, or -1.
int find_sorted(const int *a, int n, int key)
{
    int lo = 0, hi = n, steps = 0;
    while (lo < hi && steps++ < 64) {
        int mid = lo + (hi - lo) / 2;
        if (a[mid] == key) return mid;
        if (a[mid] < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < hi ? -2 : -1;
}
''', visible=r'''
    int a[] = {1, 3, 5, 7, 9};
    EQ(find_sorted(a, 5, 3), 1);
    EQ(find_sorted(a, 5, 9), 4);
    EQ(find_sorted(a, 5, 10), -1);
''', hidden=r'''
    int a[] = {2, 4, 6, 8};
    EQ(find_sorted(a, 4, 2), 0);
    EQ(find_sorted(a, 4, 8), 3);
    EQ(find_sorted(a, 4, 5), -1);
    EQ(find_sorted(a, 0, 5), -1);
    EQ(find_sorted(a, 4, 1), -1);
'''),
    dict(name="reverse_string", kind="fix", function="reverse", bug=("s[n - 1 - i] = c;", "s[n - i] = c;"), source=r'''
#include <string.h>

// Reverses s in place.
void reverse(char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n / 2; i++) {
        char c = s[i];
        s[i] = s[n - 1 - i];
        s[n - 1 - i] = c;
    }
}
''', visible=r'''
    char s[] = "abcd";
    reverse(s);
    STREQ(s, "dcba");
''', hidden=r'''
    char s[] = "x", t[] = "", u[] = "hello";
    reverse(s);
    reverse(t);
    reverse(u);
    STREQ(s, "x");
    STREQ(t, "");
    STREQ(u, "olleh");
'''),
    dict(name="count_words", kind="fix", function="count_words",
         bug=("        if (!is_blank(*s) && !in_word) n++;\n        in_word = !is_blank(*s);\n",
              "        if (is_blank(*s)) n++;\n        in_word = !is_blank(*s);\n"), source=r'''
static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

// How many words, separated by any number of blanks, are in s.
int count_words(const char *s)
{
    int n = 0, in_word = 0;
    for (; *s; s++) {
        if (!is_blank(*s) && !in_word) n++;
        in_word = !is_blank(*s);
    }
    return n;
}
''', visible=r'''
    EQ(count_words("one two"), 2);
    EQ(count_words("  one   two "), 2);
    EQ(count_words(""), 0);
''', hidden=r'''
    EQ(count_words("a"), 1);
    EQ(count_words("\t\n"), 0);
    EQ(count_words("a b\tc\nd"), 4);
    EQ(count_words("a  "), 1);
'''),
    dict(name="leap_year", kind="fix", function="is_leap",
         bug=("return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);",
              "return year % 4 == 0 && year % 100 != 0;"), source=r'''
// Is this a leap year of the Gregorian calendar?
int is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}
''', visible=r'''
    EQ(is_leap(2024), 1);
    EQ(is_leap(1900), 0);
    EQ(is_leap(2000), 1);
''', hidden=r'''
    EQ(is_leap(2023), 0);
    EQ(is_leap(2100), 0);
    EQ(is_leap(2400), 1);
    EQ(is_leap(1600), 1);
    EQ(is_leap(1996), 1);
'''),
    dict(name="list_remove", kind="fix", function="list_remove",
         bug=("            *link = node->next;\n            free(node);\n            list->n--;\n",
              "            free(node);\n            list->n--;\n"), source=r'''
#include <stdlib.h>

typedef struct Node {
    int value;
    struct Node *next;
} Node;

typedef struct List {
    Node *first;
    int n;
} List;

void list_push(List *list, int value)
{
    Node *node = malloc(sizeof *node);
    node->value = value;
    node->next = list->first;
    list->first = node;
    list->n++;
}

// Removes and frees the first node with this value; returns 1 if there was one.
int list_remove(List *list, int value)
{
    for (Node **link = &list->first; *link; link = &(*link)->next) {
        Node *node = *link;
        if (node->value == value) {
            *link = node->next;
            free(node);
            list->n--;
            return 1;
        }
    }
    return 0;
}

int list_sum(const List *list)
{
    int sum = 0;
    for (const Node *node = list->first; node; node = node->next)
        sum += node->value;
    return sum;
}
''', visible=r'''
    List l = {0};
    list_push(&l, 1);
    list_push(&l, 20);
    list_push(&l, 300);
    EQ(list_remove(&l, 20), 1);
    EQ(l.first->next->value, 1);
    EQ(list_sum(&l), 301);
''', hidden=r'''
    List l = {0};
    list_push(&l, 1);
    list_push(&l, 2);
    EQ(list_remove(&l, 3), 0);
    EQ(list_remove(&l, 2), 1);
    EQ(list_sum(&l), 1);
    EQ(l.n, 1);
    EQ(list_remove(&l, 1), 1);
    EQ(l.n, 0);
    EQ(l.first == 0, 1);
'''),
    dict(name="parse_hex", kind="fix", function="hex_digit",
         bug=("if (c >= 'A' && c <= 'F') return c - 'A' + 10;", "if (c >= 'A' && c <= 'F') return c - 'a' + 10;"),
         source=r'''
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The value of the hexadecimal digits in s, or -1 if anything else is in it.
long parse_hex(const char *s)
{
    long value = 0;
    for (; *s; s++) {
        int digit = hex_digit(*s);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}
''', visible=r'''
    EQ(parse_hex("ff"), 255);
    EQ(parse_hex("1A"), 26);
    EQ(parse_hex("xyz"), -1);
''', hidden=r'''
    EQ(parse_hex("DEAD"), 0xdead);
    EQ(parse_hex("aBcD"), 0xabcd);
    EQ(parse_hex("0"), 0);
    EQ(parse_hex("G"), -1);
'''),
    dict(name="ring_buffer", kind="fix", function="ring_push",
         bug=("    ring->slots[(ring->first + ring->n) % RING_SLOTS] = value;",
              "    ring->slots[ring->first + ring->n] = value;"), source=r'''
enum { RING_SLOTS = 4 };

typedef struct Ring {
    int slots[RING_SLOTS];
    int first, n;
    int guard[8];
} Ring;

// Appends value; 0 if the ring is full.
int ring_push(Ring *ring, int value)
{
    if (ring->n == RING_SLOTS) return 0;
    ring->slots[(ring->first + ring->n) % RING_SLOTS] = value;
    ring->n++;
    return 1;
}

// Takes the oldest value, or -1 from an empty ring.
int ring_pop(Ring *ring)
{
    if (ring->n == 0) return -1;
    int value = ring->slots[ring->first];
    ring->first = (ring->first + 1) % RING_SLOTS;
    ring->n--;
    return value;
}
''', visible=r'''
    Ring r = {0};
    for (int i = 0; i < 4; i++)
        EQ(ring_push(&r, i), 1);
    EQ(ring_push(&r, 9), 0);
    EQ(ring_pop(&r), 0);
    EQ(ring_push(&r, 4), 1);
    EQ(ring_pop(&r), 1);
    EQ(ring_pop(&r), 2);
    EQ(ring_pop(&r), 3);
    EQ(ring_pop(&r), 4);
''', hidden=r'''
    Ring r = {0};
    for (int i = 0; i < 50; i++) {
        EQ(ring_push(&r, i), 1);
        EQ(ring_push(&r, i + 100), 1);
        EQ(ring_pop(&r), i);
        EQ(ring_pop(&r), i + 100);
    }
    EQ(ring_pop(&r), -1);
    EQ(r.guard[0] | r.guard[1] | r.guard[2], 0);
'''),
    dict(name="trim_string", kind="fix", function="trim",
         bug=("    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\\t'))\n        n--;\n", ""), source=r'''
#include <string.h>

// Removes blanks and tabs from both ends of s, in place; returns s.
char *trim(char *s)
{
    size_t n = strlen(s), start = 0;
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
        n--;
    while (start < n && (s[start] == ' ' || s[start] == '\t'))
        start++;
    memmove(s, s + start, n - start);
    s[n - start] = '\0';
    return s;
}
''', visible=r'''
    char a[] = "  x y ", b[] = "abc";
    STREQ(trim(a), "x y");
    STREQ(trim(b), "abc");
''', hidden=r'''
    char a[] = "   ", b[] = "\tq\t", c[] = "", d[] = "a  b\t ";
    STREQ(trim(a), "");
    STREQ(trim(b), "q");
    STREQ(trim(c), "");
    STREQ(trim(d), "a  b");
'''),
    dict(name="median_of", kind="fix", function="median",
         bug=("    return n % 2 ? a[n / 2] : (a[n / 2 - 1] + a[n / 2]) / 2;", "    return a[n / 2];"), source=r'''
static void sort(double *a, int n)
{
    for (int i = 1; i < n; i++) {
        double x = a[i];
        int j = i;
        for (; j > 0 && a[j - 1] > x; j--)
            a[j] = a[j - 1];
        a[j] = x;
    }
}

// The median of n values (n >= 1), which are sorted by it: of an even number, the mean of the two
// in the middle.
double median(double *a, int n)
{
    sort(a, n);
    return n % 2 ? a[n / 2] : (a[n / 2 - 1] + a[n / 2]) / 2;
}
''', visible=r'''
    double a[] = {3, 1, 2}, b[] = {4, 1, 3, 2};
    EQ(median(a, 3) == 2.0, 1);
    EQ(median(b, 4) == 2.5, 1);
''', hidden=r'''
    double a[] = {7}, b[] = {10, 20}, c[] = {5, 5, 5, 5, 5, 6};
    EQ(median(a, 1) == 7.0, 1);
    EQ(median(b, 2) == 15.0, 1);
    EQ(median(c, 6) == 5.0, 1);
'''),
    dict(name="utf8_length", kind="fix", function="utf8_length", bug=("!= 0x80", "!= 0xC0"), source=r'''
// The number of characters (code points) of valid UTF-8 text: bytes 10xxxxxx continue one.
int utf8_length(const char *s)
{
    int n = 0;
    for (; *s; s++)
        if (((unsigned char)*s & 0xC0) != 0x80) n++;
    return n;
}
''', visible=r'''
    EQ(utf8_length("abc"), 3);
    EQ(utf8_length("\xC3\xA9t\xE2\x82\xAC"), 3);
''', hidden=r'''
    EQ(utf8_length(""), 0);
    EQ(utf8_length("\xE2\x82\xAC"), 1);
    EQ(utf8_length("\xF0\x9F\x98\x80!"), 2);
'''),
    # --- functions to write
    dict(name="gcd", kind="write", function="gcd", source=r'''
// The greatest common divisor of two numbers that are not negative; gcd(0, n) is n.
unsigned gcd(unsigned a, unsigned b)
{
    while (b) {
        unsigned r = a % b;
        a = b;
        b = r;
    }
    return a;
}
''', visible=r'''
    EQ(gcd(12, 18), 6);
    EQ(gcd(0, 5), 5);
''', hidden=r'''
    EQ(gcd(5, 0), 5);
    EQ(gcd(17, 13), 1);
    EQ(gcd(270, 192), 6);
    EQ(gcd(7, 7), 7);
'''),
    dict(name="is_palindrome", kind="write", function="is_palindrome", source=r'''
#include <ctype.h>
#include <string.h>

// 1 if s reads the same from both ends when only its letters and digits count, in any case.
int is_palindrome(const char *s)
{
    size_t i = 0, j = strlen(s);
    while (i < j) {
        if (!isalnum((unsigned char)s[i]))
            i++;
        else if (!isalnum((unsigned char)s[j - 1]))
            j--;
        else if (tolower((unsigned char)s[i++]) != tolower((unsigned char)s[--j]))
            return 0;
    }
    return 1;
}
''', visible=r'''
    EQ(is_palindrome("Never odd or even"), 1);
    EQ(is_palindrome("abc"), 0);
    EQ(is_palindrome("a, A!"), 1);
''', hidden=r'''
    EQ(is_palindrome(""), 1);
    EQ(is_palindrome("..."), 1);
    EQ(is_palindrome("ab"), 0);
    EQ(is_palindrome("1a1"), 1);
    EQ(is_palindrome("A man, a plan, a canal: Panama"), 1);
'''),
    dict(name="run_length", kind="write", function="run_length", source=r'''
#include <stdio.h>

// Writes s with runs of one character as count and character ("aab" is "2a1b") to out, which is large enough.
void run_length(const char *s, char *out)
{
    *out = '\0';
    while (*s) {
        int n = 1;
        while (s[n] == s[0])
            n++;
        out += sprintf(out, "%d%c", n, *s);
        s += n;
    }
}
''', visible=r'''
    char out[100];
    run_length("aab", out);
    STREQ(out, "2a1b");
    run_length("", out);
    STREQ(out, "");
''', hidden=r'''
    char out[100];
    run_length("aaaaaaaaaaaab", out);
    STREQ(out, "12a1b");
    run_length("xyz", out);
    STREQ(out, "1x1y1z");
    run_length("zz", out);
    STREQ(out, "2z");
'''),
    dict(name="count_bits", kind="write", function="count_bits", source=r'''
// The number of bits of x that are 1.
int count_bits(unsigned x)
{
    int n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}
''', visible=r'''
    EQ(count_bits(0), 0);
    EQ(count_bits(7), 3);
''', hidden=r'''
    EQ(count_bits(0xFFFFFFFFu), 32);
    EQ(count_bits(0x80000001u), 2);
    EQ(count_bits(0xAAu), 4);
'''),
    dict(name="second_largest", kind="write", function="second_largest", source=r'''
// Stores the second largest of the different values of a[n] in *out; returns 0 if there are fewer than two.
int second_largest(const int *a, int n, int *out)
{
    int have = 0, best = 0, second = 0;
    for (int i = 0; i < n; i++) {
        if (have == 0) {
            best = a[i];
            have = 1;
        } else if (a[i] > best) {
            second = best;
            best = a[i];
            have = 2;
        } else if (a[i] < best && (have == 1 || a[i] > second)) {
            second = a[i];
            have = 2;
        }
    }
    if (have < 2) return 0;
    *out = second;
    return 1;
}
''', visible=r'''
    int a[] = {3, 9, 9, 5}, out = 0;
    EQ(second_largest(a, 4, &out), 1);
    EQ(out, 5);
    EQ(second_largest(a, 1, &out), 0);
    int b[] = {4, 4};
    EQ(second_largest(b, 2, &out), 0);
''', hidden=r'''
    int a[] = {-3, -9, -5}, b[] = {1, 2}, c[] = {2, 1}, out = 0;
    EQ(second_largest(a, 3, &out), 1);
    EQ(out, -5);
    EQ(second_largest(b, 2, &out), 1);
    EQ(out, 1);
    EQ(second_largest(c, 2, &out), 1);
    EQ(out, 1);
    EQ(second_largest(c, 0, &out), 0);
'''),
    dict(name="parse_int", kind="write", function="parse_int", source=r'''
// Reads an optional sign and decimal digits, which must be all of s, into *out. Returns 1, or 0 and leaves *out alone
// if s is anything else.
int parse_int(const char *s, int *out)
{
    int sign = 1, value = 0;
    if (*s == '+' || *s == '-') sign = *s++ == '-' ? -1 : 1;
    if (!*s) return 0;
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return 0;
        value = value * 10 + (*s - '0');
    }
    *out = sign * value;
    return 1;
}
''', visible=r'''
    int v = 7;
    EQ(parse_int("-42", &v), 1);
    EQ(v, -42);
    EQ(parse_int("4x", &v), 0);
    EQ(v, -42);
    EQ(parse_int("", &v), 0);
''', hidden=r'''
    int v = 7;
    EQ(parse_int("-", &v), 0);
    EQ(parse_int("+", &v), 0);
    EQ(parse_int(" 1", &v), 0);
    EQ(v, 7);
    EQ(parse_int("+15", &v), 1);
    EQ(v, 15);
    EQ(parse_int("0", &v), 1);
    EQ(v, 0);
    EQ(parse_int("--1", &v), 0);
'''),
    dict(name="rotate_left", kind="write", function="rotate_left", source=r'''
// Rotates the n values of a by k places to the left, in place; k may be larger than n.
void rotate_left(int *a, int n, int k)
{
    if (n < 2) return;
    for (k %= n; k > 0; k--) {
        int first = a[0];
        for (int i = 1; i < n; i++)
            a[i - 1] = a[i];
        a[n - 1] = first;
    }
}
''', visible=r'''
    int a[] = {1, 2, 3, 4};
    rotate_left(a, 4, 1);
    EQ(a[0], 2);
    EQ(a[3], 1);
    rotate_left(a, 4, 6);
    EQ(a[0], 4);
''', hidden=r'''
    int a[] = {1, 2, 3}, b[] = {5};
    rotate_left(a, 3, 5);
    EQ(a[0], 3);
    EQ(a[1], 1);
    EQ(a[2], 2);
    rotate_left(a, 3, 0);
    EQ(a[0], 3);
    rotate_left(b, 1, 3);
    EQ(b[0], 5);
    rotate_left(b, 0, 3);
'''),
    dict(name="balanced", kind="write", function="balanced", source=r'''
// 1 if the brackets ()[]{} in s are closed in the right order; other characters do not count.
int balanced(const char *s)
{
    char open[256];
    int n = 0;
    for (; *s; s++) {
        char want = *s == '(' ? ')' : *s == '[' ? ']' : *s == '{' ? '}' : 0;
        if (want) {
            if (n == 256) return 0;
            open[n++] = want;
        } else if (*s == ')' || *s == ']' || *s == '}') {
            if (n == 0 || open[--n] != *s) return 0;
        }
    }
    return n == 0;
}
''', visible=r'''
    EQ(balanced("f(a[1])"), 1);
    EQ(balanced("(]"), 0);
    EQ(balanced("(("), 0);
''', hidden=r'''
    EQ(balanced(""), 1);
    EQ(balanced(")("), 0);
    EQ(balanced("{[()]}()"), 1);
    EQ(balanced("([)]"), 0);
    EQ(balanced("}"), 0);
'''),
    dict(name="day_of_year", kind="write", function="day_of_year", source=r'''
// The day of the year, 1 to 366, of a date; month is 1 to 12.
int day_of_year(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return before[month - 1] + day + (leap && month > 2);
}
''', visible=r'''
    EQ(day_of_year(2023, 1, 1), 1);
    EQ(day_of_year(2023, 3, 1), 60);
    EQ(day_of_year(2024, 3, 1), 61);
''', hidden=r'''
    EQ(day_of_year(2024, 12, 31), 366);
    EQ(day_of_year(1900, 12, 31), 365);
    EQ(day_of_year(2000, 12, 31), 366);
    EQ(day_of_year(2024, 2, 29), 60);
'''),
    dict(name="compare_versions", kind="write", function="compare_versions", source=r'''
#include <stdlib.h>

// Compares versions like "1.10.2" part by part as numbers; missing parts are 0. Returns -1, 0 or 1.
int compare_versions(const char *a, const char *b)
{
    while (*a || *b) {
        char *end_a, *end_b;
        long x = strtol(a, &end_a, 10), y = strtol(b, &end_b, 10);
        if (x != y) return x < y ? -1 : 1;
        a = *end_a == '.' ? end_a + 1 : end_a;
        b = *end_b == '.' ? end_b + 1 : end_b;
    }
    return 0;
}
''', visible=r'''
    EQ(compare_versions("1.2", "1.10"), -1);
    EQ(compare_versions("2.0", "2"), 0);
    EQ(compare_versions("3", "2.9.9"), 1);
''', hidden=r'''
    EQ(compare_versions("1.0.1", "1"), 1);
    EQ(compare_versions("1.2.3", "1.2.3"), 0);
    EQ(compare_versions("0.9", "1.0.0"), -1);
    EQ(compare_versions("10.0", "9.9"), 1);
'''),
]
