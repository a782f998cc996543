"""Members that exist nowhere: a suggestion that names one is written anew or not shown; no right one is refused."""

import os
import re

from driver import Client, FOLDER, run_tests, write_file

HEADER = """#pragma once
#include "base.h"
#define alias real_name
struct base { int id; };
typedef struct Shape {
    int side, *sides[3];
    unsigned wide : 3;
    union {
        int first;
        struct { char second; };
    };
    int (*area)(struct Shape *self);
    int real_name;
#ifdef EXTRA
    int extra;
#endif
} Shape;
typedef Shape Figure;
struct Hidden {
    int seen;
    HIDDEN_FIELDS
};
struct Odd {
    int seen;
    struct base;
};
struct List { TAILQ_ENTRY(x) entry; struct base at; Shape *shape; };
"""
BODY = "#include \"shape.h\"\nint f(Shape *s, Figure g, struct Hidden *h, struct Odd *o, struct List *l, struct far *u)\n{\n    int x =\n}\n"
RIGHT = ["s->side;", "s->sides[0];", "s->wide;", "s->first;", "s->second;", "s->area(s);", "s->real_name;", "s->alias;",
         "s->extra;", "g.side;", "h->hidden_by_macro;", "o->id;", "l->entry.next;", "l->at.id;", "l->shape->first;",
         "u->anything;", "3.e1;", "s->MACRO_NAME(2);", "f(s).nothing;"]
WRONG = ["s->sidd;", "s->size + 1;", "g.length;", "l->at.name;", "l->shape->third;", "l->head;", "1 + s->count;"]


def start(name, script, files, **options):
    for path, text in files.items():
        write_file(os.path.join(name, path), text)
    client = Client(script, rootUri="file://" + os.path.join(FOLDER, name), options={"computeAhead": "off", **options})
    client.until(lambda: not client.ask("r1ls/status", {})["scanning"])
    return client


def suggest(client, path, text, language="c"):
    """What is shown behind the line that ends with `x =`, and why nothing is."""
    uri = "file://" + path
    client.open(uri, text, language)
    client.ask("textDocument/foldingRange", {"textDocument": {"uri": uri}})
    line = next(i for i, l in enumerate(text.split("\n")) if re.search(r"x\d* =$", l))
    items = client.items(client.inline(uri, line, len(text.split("\n")[line]), trigger=1))
    why = client.ask("r1ls/explain", {"textDocument": {"uri": uri}})["why"]
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return (items[0]["insertText"].strip() if items else None), why


FILES = {"shape.h": HEADER, "base.h": "#pragma once\n"}


def answers(rows):
    """One script for many lines: `int x3 =` is followed by rows[3]."""
    return "".join("answer x%d = => %s\n" % pair for pair in enumerate(rows))


def test_right_members_are_shown():
    client = start("right", answers(RIGHT), FILES)
    for i, answer in enumerate(RIGHT):
        text = BODY.replace("x =", "x%d =" % i)
        assert suggest(client, os.path.join(FOLDER, "right/a.c"), text) == (answer, "shown"), answer
    client.close()


def test_wrong_members_are_not():
    # Asked again, the model writes another wrong member behind the right one.
    script = answers(WRONG) + "answer side => + s->nowhere;\nanswer id => + s->nowhere;\n"
    client, off = start("wrong", script, FILES), start("off", script, FILES, checkMembers=False)
    for i, answer in enumerate(WRONG):
        text = BODY.replace("x =", "x%d =" % i)
        shown, why = suggest(client, os.path.join(FOLDER, "wrong/a.c"), text)
        assert shown != answer and (shown is None or "nowhere" not in shown), (answer, shown, why)
        assert suggest(off, os.path.join(FOLDER, "off/a.c"), text)[0] == answer
    client.close()
    off.close()


def test_an_existing_member_is_written_instead():
    client = start("again", "answer x = => 1 + s->sidd;\nunlikely zz => >wide\nanswer s->wide => + 2;\n", FILES)
    shown, why = suggest(client, os.path.join(FOLDER, "again/a.c"), BODY)
    assert (shown, why) == ("1 + s->wide+ 2;", "shown"), (shown, why)
    client.close()


def test_the_first_part_of_a_name_is_kept():
    client = start("typed", "answer x = s->si => zes;\nanswer x = s->sides => [1];\n", FILES)
    text = BODY.replace("x =", "x = s->si")
    uri = "file://" + os.path.join(FOLDER, "typed/a.c")
    client.open(uri, text)
    items = client.items(client.inline(uri, 3, len("    int x = s->si"), trigger=1))
    assert items and items[0]["insertText"].startswith("de"), items
    client.close()


def test_a_type_that_is_not_seen_whole_is_not_judged():
    text = BODY.replace("#include \"shape.h\"", "#include \"other.h\"")
    client = start("unseen", "answer x = => s->sidd;\n", FILES)
    assert suggest(client, os.path.join(FOLDER, "unseen/a.c"), text)[0] == "s->sidd;"
    client.close()


CLASS = """class Box:
    def __init__(self):
        self.side = 1
        self.color: str = ""
    def area(self):
        return self.side
    def more(self):
        x =
"""


def python(name, answer, text=CLASS, **files):
    client = start(name, "answer x = => %s\n" % answer, {"b.py": text, **files})
    shown = suggest(client, os.path.join(FOLDER, name, "b.py"), text, "python")[0]
    client.close()
    return shown


def test_python_s_self():
    assert python("p1", "self.side") == "self.side"
    assert python("p2", "self.area()") == "self.area()"
    assert python("p3", "self.nowhere") != "self.nowhere"
    assert python("p4", "self.nowhere", CLASS.replace("Box:", "Box(Base):")) == "self.nowhere"
    assert python("p5", "self.nowhere", CLASS.replace("class Box", "@dataclass\nclass Box")) == "self.nowhere"
    assert python("p6", "self.nowhere", CLASS + "    def __getattr__(self, name):\n        pass\n") == "self.nowhere"
    assert python("p7", "self.__dict__") == "self.__dict__"
    assert python("p8", "self.nowhere", **{"c.py": "class Other:\n    def nowhere(self):\n        pass\n"}) == "self.nowhere"


run_tests(globals())
