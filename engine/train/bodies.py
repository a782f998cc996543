"""Functions that say what they do, in a comment before them or a docstring: what the closed loop asks a body for."""
import re

LONGEST = 30  # lines of a body
SIGNATURE_LINES = 5
BLANK = 4  # lines between functions
CONTROL = re.compile(r"(if|for|while|switch|else|do|struct|class|enum|union|namespace|typedef|return|catch|try|extern|case|match|impl|trait|interface|type|mod|select)\b|[})=&|]")
COMMENT_LINE = re.compile(r"\s*(//|\*|/\*|#\[)|.*\*/\s*$")
DEFINITION = re.compile(r"\s*(async\s+)?def\s+\w+")
QUOTES = re.compile(r"\s*[rRuU]?(\"\"\"|''')")


def indent_of(line): return len(line) - len(line.lstrip(" \t"))


def in_braces(lines, i):
    """(comment's first row, body's first and last) of the function whose opening brace ends row i, or None."""
    line = lines[i].rstrip()
    start = i - 1 if line.strip() == "{" else i
    while start > 0 and i - start < SIGNATURE_LINES and (above := lines[start - 1].strip()) and not COMMENT_LINE.match(above) and above[-1] not in ";{}:": start -= 1
    if start < 1 or not COMMENT_LINE.match(lines[start - 1]): return None
    signature = " ".join(x.strip() for x in lines[start:i + 1])
    if "(" not in signature or CONTROL.match(signature) or signature.startswith("#") or "=" in signature.split("(")[0]: return None
    blanks = lines[start][:indent_of(lines[start])]; end = i + 1
    while end < len(lines) and end - i <= LONGEST + 1:
        if lines[end].startswith(blanks + "}"): break
        if lines[end].strip() and not lines[end].startswith(blanks): return None
        end += 1
    else: return None
    comment = start - 1
    while comment > 0 and COMMENT_LINE.match(lines[comment]) and COMMENT_LINE.match(lines[comment - 1]) and not lines[comment].lstrip().startswith("/*"): comment -= 1
    return comment, i + 1, end - 1


def by_indentation(lines, i):
    """The same of Python's definition in row i, behind its docstring."""
    row, base, signature = i, indent_of(lines[i]), lines[i]
    while row + 1 < len(lines) and row - i < SIGNATURE_LINES and signature.count("(") > signature.count(")"): row += 1; signature += lines[row]
    first = row + 1
    if first >= len(lines) or not re.search(r":\s*(#.*)?$", signature) or not (quote := QUOTES.match(lines[first])) or indent_of(lines[first]) <= base: return None
    if lines[first].count(quote[1]) < 2:
        first += 1
        while first < len(lines) and quote[1] not in lines[first]: first += 1
    first += 1; last = first - 1
    for end in range(first, min(len(lines), first + LONGEST + BLANK)):
        if not lines[end].strip(): continue
        if indent_of(lines[end]) <= base: break
        last = end
    else:
        if first + LONGEST + BLANK < len(lines): return None
    while first <= last and not lines[first].strip(): first += 1
    return i, first, last


def documented(lines):
    """[(row where the function with its comment begins, its body's first row, its last)] in the order of the file; bodies have from one to LONGEST lines."""
    out = []
    for i, line in enumerate(lines):
        if line.rstrip().endswith("{"): found = in_braces(lines, i)
        elif DEFINITION.match(line): found = by_indentation(lines, i)
        else: continue
        if found and found[1] <= found[2] < found[1] + LONGEST and any(x.strip() for x in lines[found[1]:found[2] + 1]): out.append(found)
    return out
