"""A small programming problem that has one meaning in C and in Python, and how it is written down in both.

Values are int, bool, char, str (ASCII) and ints (an array with its length in C, a list in Python). A result that is a str or
ints is written to a last parameter `out` in C. The two reference bodies check each other: their outputs must be equal."""
import dataclasses
import textwrap
from typing import Callable

INCLUDES = "#include <ctype.h>\n#include <stdbool.h>\n#include <stdlib.h>\n#include <string.h>\n"
C_TYPES = {"int": "int ", "char": "char ", "str": "const char *", "bool": "bool "}


@dataclasses.dataclass
class Problem:
    name: str                      # the function's name
    origin: str                    # the family that made it: train, validation and held-out parts share none
    doc: str                       # what the function gives, in sentences that hold in both languages
    params: list                   # [(name, type)]
    result: str                    # type
    c: str                         # the body, unindented
    py: str
    inputs: Callable               # random.Random -> arguments


def signature_c(p):
    parts = []
    for name, kind in p.params:
        parts += [f"const int *{name}", "int n" if name == "a" else f"int n_{name}"] if kind == "ints" else [C_TYPES[kind] + name]
    if p.result == "ints": parts.append("int *out")
    if p.result == "str": parts.append("char *out")
    returned = {"ints": "int ", "str": "void "}.get(p.result) or C_TYPES[p.result]
    return f"{returned}{p.name}({', '.join(parts) or 'void'})"


def doc_c(p):
    lengths = [f"{name} has {'n' if name == 'a' else 'n_' + name} values" for name, kind in p.params if kind == "ints"]
    text = p.doc
    if p.result == "ints": text += " Writes them to out, which has room, and returns how many they are."
    if p.result == "str": text += " Writes it to out, which has room, and ends it with a null character."
    if lengths: text += " " + ", ".join(lengths) + "."
    return "".join("// " + line + "\n" for line in textwrap.wrap(text, 92))


def indented(body, depth=1): return "".join("    " * depth + line + "\n" if line else "\n" for line in body.strip("\n").split("\n"))


def function_c(p, body=None): return f"{doc_c(p)}{signature_c(p)}\n{{\n{indented(body) if body else ''}}}\n"


def function_py(p, body=None):
    doc = textwrap.wrap(p.doc, 92)
    text = "    " + '"""' + ("\n    ".join(doc)) + ("\n    " if len(doc) > 1 else "") + '"""\n'
    return f"def {p.name}({', '.join(name for name, _ in p.params)}):\n{text}{indented(body) if body else '    pass' + chr(10)}"


def function_of(p, language, body=None): return function_c(p, body) if language == "c" else function_py(p, body)


def body_of(p, language): return p.c if language == "c" else p.py


def reference(p):
    """The Python reference as a callable."""
    space = {}
    exec(function_py(p, p.py), space)
    return space[p.name]
