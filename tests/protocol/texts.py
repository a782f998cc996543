"""A shadow of what the server holds: positions of the protocol in Python's strings."""

UNIT_BYTES = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def split_lines(text):
    """(start, end without break) of every line, the breaks of the protocol only."""
    lines, start, i = [], 0, 0
    while i < len(text):
        if text[i] in "\r\n":
            n = 2 if text[i:i + 2] == "\r\n" else 1
            lines.append((start, i))
            start = i = i + n
        else:
            i += 1
    return lines + [(start, len(text))]


def to_position(text, offset, encoding):
    codec, unit = UNIT_BYTES[encoding]
    lines = split_lines(text)
    row = max(i for i, line in enumerate(lines) if line[0] <= offset)
    start, end = lines[row]
    offset = min(offset, end)
    return {"line": row, "character": len(text[start:offset].encode(codec)) // unit}, offset


def random_change(rng, text, new, encoding, max_bytes=8):
    """A content change that replaces a few characters of text by new, and the text after it."""
    a, b = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    b = min(b, a + max_bytes)
    start, a = to_position(text, a, encoding)
    end, b = to_position(text, b, encoding)
    a, b = min(a, b), max(a, b)
    return {"range": {"start": start, "end": end}, "text": new}, text[:a] + new + text[b:]
