"""What the model is shown of other files, as r1ls/explain counts it."""

import os

from driver import Client, FOLDER, run_tests, write_file

HEADER = "struct row {\n    int width;\n};\nint row_area(const struct row *r);\n"
SOURCE = "int sum(const struct row *rows)\n{\n    int s = row_area(rows);\n    s \n    return s;\n}\n\nint nothing(void)\n{\n    int x \n}\n"


def open_project(name, **options):
    write_file(os.path.join(name, "row.h"), HEADER)
    write_file(os.path.join(name, "sum.c"), SOURCE)
    client = Client("answer s => = 1;\n", rootUri="file://" + os.path.join(FOLDER, name), options=options)
    client.until(lambda: not client.ask("r1ls/status", {})["scanning"])
    uri = "file://" + os.path.join(FOLDER, name, "sum.c")
    client.open(uri, SOURCE)
    client.ask("textDocument/foldingRange", {"textDocument": {"uri": uri}})  # it is parsed then
    return client, uri


def pieces(client, uri, line, character):
    client.answer(client.inline(uri, line, character, trigger=1))
    return client.ask("r1ls/explain", {"textDocument": {"uri": uri}})["pieceTokens"]


def test_definitions_of_other_files_are_shown():
    client, uri = open_project("context", contextParts="definitions")
    first = client.until(lambda: pieces(client, uri, 3, 6))  # not at once: the index takes the document in
    # "SEPARATOR row.h" and both definitions, a token a byte.
    assert first >= len("struct row {") + len("int row_area(const struct row *r);"), first
    # The line that is typed changes nothing; another function has other names.
    client.change(uri, 2, {"range": {"start": {"line": 3, "character": 6}, "end": {"line": 3, "character": 6}}, "text": "="})
    assert pieces(client, uri, 3, 7) == first
    client.until(lambda: pieces(client, uri, 9, 10) == 0)
    client.close()


def test_files_that_change_are_no_reason_to_show_nothing():
    client, uri = open_project("context-changes", contextParts="definitions")
    first, folder = client.until(lambda: pieces(client, uri, 3, 6)), uri.rsplit("/", 1)[0]
    assert pieces(client, uri, 9, 10) == 0
    names = ["part%d.c" % i for i in range(20)]
    for name in names:
        write_file(os.path.join("context-changes", name), "int %s(int a)\n{\n    return a + 1;\n}\n" % name[:-2] * 3000)
    client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": folder + "/" + name, "type": 1} for name in names]})
    assert client.ask("r1ls/status", {})["scanning"]
    assert pieces(client, uri, 3, 6) == first  # the cursor's function is another, while they are read
    client.close()


def test_what_was_worked_on_last_is_shown():
    client, uri = open_project("context-recent", contextParts="recent")
    folder = uri.rsplit("/", 1)[0]
    assert pieces(client, uri, 3, 6) == 0  # nothing else was opened
    for name, line in (("older.c", "int seen_before = 1;"), ("newer.c", "int seen_last = 2;"), ("unread.c", "int never = 3;")):
        client.open(folder + "/" + name, "\n" * 20 + line + "\n" * 20)
    place = {"line": 20, "character": 0}
    client.answer(client.inline(folder + "/older.c", 20, 20, trigger=1))
    client.change(folder + "/newer.c", 2, {"range": {"start": place, "end": place}, "text": "/**/ "})
    shown = "newer.c\n/**/ int seen_last = 2;\n" + "older.c\nint seen_before = 1;\n"
    found = client.until(lambda: pieces(client, uri, 9, 10))  # in another function
    assert len(shown) <= found <= len(shown) + 60, found  # a token a byte, with separators and blank lines
    client.change(uri, 2, {"range": {"start": {"line": 9, "character": 10}, "end": {"line": 9, "character": 10}}, "text": "="})
    assert pieces(client, uri, 9, 11) == found  # typing changes nothing
    client.close()


def test_it_is_on_by_itself_where_it_helps_the_model():
    client, uri = open_project("context-auto")  # the scripted model's order is that of ours
    client.until(lambda: pieces(client, uri, 3, 6) > 0)
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"contextParts": "none"}}})
    assert pieces(client, uri, 3, 6) == 0
    client.close()


def test_it_is_off_until_asked_for():
    client, uri = open_project("context-off", contextParts="none")
    assert pieces(client, uri, 3, 6) == 0
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"contextParts": "definitions"}}})
    client.until(lambda: pieces(client, uri, 3, 6) > 0)
    client.close()


run_tests(globals())
