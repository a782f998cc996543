"""The next edit: what was changed is offered where else it has to change, in the payload that editors know."""

from driver import Client, run_tests

METHOD = "textDocument/inlineEdit"
SUM = """int sum(const int *items, int n)
{
    int cnt = 0; // cnt of items
    for (int i = 0; i < n; i++)
        cnt += items[i];
    return cnt;
}

int other(int cnt)
{
    return cnt;
}
"""
AREA = """int area(int w);

int area(int w)
{
    return w;
}

int use(int cnt)
{
    return area(3) + area(cnt);
}
"""


class Editor:
    """A client with documents that it changes as an editor does."""

    def __init__(self, script="", **options):
        self.client = Client(script, options={"nextEdit": True, "computeAhead": "off", **options})
        self.client.until(lambda: self.client.ask("r1ls/status", {})["engine"] == "ready")
        self.texts, self.versions = {}, {}

    def open(self, uri, text, language="c"):
        self.client.open(uri, text, language)
        self.texts[uri], self.versions[uri] = text, 1

    def place(self, uri, at):
        before = self.texts[uri][:at]
        return {"line": before.count("\n"), "character": at - (before.rfind("\n") + 1)}

    def replace(self, uri, start, end, new):
        self.versions[uri] += 1
        self.client.change(uri, self.versions[uri], {
            "range": {"start": self.place(uri, start), "end": self.place(uri, end)}, "text": new})
        self.texts[uri] = self.texts[uri][:start] + new + self.texts[uri][end:]

    def change(self, uri, old, new, nth=0):
        """Types `new` in place of the nth `old`, key by key."""
        at = -1
        for _ in range(nth + 1):
            at = self.texts[uri].index(old, at + 1)
        self.replace(uri, at, at + len(old), "")
        for i, c in enumerate(new):
            self.replace(uri, at + i, at + i, c)
        self.cursor = at + len(new)

    def next(self, uri, at=None, method=METHOD):
        """(start, end, text) of the offered edit, or None."""
        result = self.client.ask(method, {"textDocument": {"uri": uri, "version": self.versions[uri]},
                                          "position": self.place(uri, self.cursor if at is None else at),
                                          "context": {"triggerKind": 2}})
        if not result["edits"]:
            return None
        edit, = result["edits"]
        assert edit["textDocument"] == {"uri": uri, "version": self.versions[uri]}, edit
        assert edit["command"]["command"] == "r1ls.acceptInlineEdit"
        self.client.notify("textDocument/didShowInlineEdit", {"item": {"command": edit["command"]}})
        self.command = edit["command"]
        lines = self.texts[uri].split("\n")
        start, end = (sum(len(l) + 1 for l in lines[:p["line"]]) + p["character"]
                      for p in (edit["range"]["start"], edit["range"]["end"]))
        return start, end, edit["text"]

    def follow(self, uri, most=9):
        """Accepts what is offered until nothing is; the lines that were changed, in that order."""
        rows = []
        while (edit := self.next(uri)) and len(rows) < most:
            rows.append(self.place(uri, edit[0])["line"])
            self.replace(uri, *edit)
            self.cursor = edit[0] + len(edit[2])
            self.client.ask("workspace/executeCommand", {"command": self.command["command"],
                                                         "arguments": self.command["arguments"]})
        return rows


def test_an_answer_at_once_leaves_nothing_behind():
    editor = Editor(nextEdit=False)
    editor.open("file:///tmp/work/n.c", SUM)
    client, params = editor.client, {"textDocument": {"uri": "file:///tmp/work/n.c", "version": 1}, "position": {"line": 0, "character": 0}}
    assert client.ask(METHOD, params) is None
    client.notify("workspace/didChangeConfiguration", {"settings": {"r1ls": {"nextEdit": True}}})
    for _ in range(20):  # nothing was edited: there is no need to look
        assert client.ask(METHOD, params) == {"edits": []}
    client.close()


def test_a_renamed_local_is_renamed_in_its_scope():
    editor = Editor()
    editor.open("file:///a.c", SUM)
    editor.change("file:///a.c", "cnt", "total")
    assert editor.follow("file:///a.c") == [4, 5]
    body, other = SUM.split("\n\n")
    assert editor.texts["file:///a.c"] == body.replace("cnt", "total").replace("total of", "cnt of") + "\n\n" + other
    counts = editor.client.ask("r1ls/status", {})["inlineEdits"]
    assert counts == {"offered": 2, "shown": 2, "accepted": 2}, counts
    editor.client.close()


def test_a_name_with_many_places():
    editor = Editor()
    text = "int f(int cnt)\n{\n" + "    cnt = g(cnt);\n" * 12 + "    return cnt;\n}\n"
    editor.open("file:///a.c", text)
    editor.change("file:///a.c", "cnt", "total")
    assert len(editor.follow("file:///a.c", 40)) == 25
    assert editor.texts["file:///a.c"] == text.replace("cnt", "total")
    editor.client.close()


def test_the_next_place_follows_the_cursor():
    editor = Editor()
    editor.open("file:///a.c", SUM)
    editor.change("file:///a.c", "cnt", "counter")  # the old name is a part of neither
    uri = "file:///a.c"
    assert editor.place(uri, editor.next(uri, editor.texts[uri].index("return"))[0])["line"] == 5
    assert editor.place(uri, editor.next(uri, len(editor.texts[uri]))[0])["line"] == 4
    editor.client.close()


def test_a_changed_use_is_no_rename():
    editor = Editor()
    editor.open("file:///a.c", SUM)
    editor.change("file:///a.c", "cnt", "n", nth=3)  # return n
    assert editor.next("file:///a.c") is None
    editor.change("file:///a.c", "items", "many", nth=1)  # in the comment
    assert editor.next("file:///a.c") is None
    editor.client.close()


def test_python():
    editor = Editor()
    text = "def mean(values):\n    total = sum(values)\n    return total / len(values)\n\ndef f(total):\n    return total\n"
    editor.open("file:///a.py", text, "python")
    editor.change("file:///a.py", "values", "items")
    assert editor.follow("file:///a.py") == [1, 2]
    assert editor.texts["file:///a.py"] == text.replace("values", "items")
    editor.client.close()


def test_a_renamed_function_in_two_documents():
    editor = Editor()
    editor.open("file:///a.c", AREA)
    editor.open("file:///b.c", "int area(int w);\nint g(void)\n{\n    return area(1);\n}\n")
    editor.open("file:///c.c", "static int area(int w)\n{\n    return w;\n}\nint h(void)\n{\n    return area(1);\n}\n")
    editor.change("file:///a.c", "area", "surface", nth=1)
    editor.cursor = 0
    # Asked for first: after an edit in another document that one counts.
    assert editor.next("file:///c.c", 0) is None
    assert editor.follow("file:///b.c") == [0, 3]
    editor.client.close()


def test_a_new_parameter_reaches_prototypes_and_calls():
    editor = Editor("prob 0.9\nanswer area(3, =>  scale + 1) + area\nanswer area(cnt, =>  2);\n")
    uri = "file:///a.c"
    editor.open(uri, AREA)
    at = AREA.index("int w)", 10) + len("int w")
    for i, c in enumerate(", int scale"):
        editor.replace(uri, at + i, at + i, c)
    editor.cursor = at + len(", int scale")
    # The calls: what the model writes; the prototype: the new list.
    assert sorted(editor.follow(uri)) == [0, 9, 9], editor.texts[uri]
    assert "int area(int w, int scale);" in editor.texts[uri]
    assert "area(3, scale + 1) + area(cnt, 2);" in editor.texts[uri], editor.texts[uri]
    editor.client.close()


def test_a_prototype_without_names_stays_so():
    editor = Editor()
    uri = "file:///a.c"
    text = "struct s;\nint f(struct s *, int);\nint g(void);\nint f(struct s *s, int n) { return n; }\nint g(void) { return 0; }\n"
    editor.open(uri, text)
    editor.change(uri, "int n)", "char **names, int n)")
    assert editor.follow(uri) == [1]
    editor.change(uri, "void", "int a", nth=1)
    assert editor.follow(uri) == [2]
    assert "int f(struct s *, char **, int);\nint g(int a);\n" in editor.texts[uri], editor.texts[uri]
    editor.client.close()


def test_an_unsure_argument_is_not_offered():
    editor = Editor("prob 0.2\nanswer area(3, =>  scale)\n")
    uri = "file:///a.c"
    editor.open(uri, AREA.replace("int area(int w);\n", ""))
    editor.change(uri, "int w", "int w, int scale")
    assert editor.next(uri) is None
    editor.client.close()


def test_a_removed_parameter():
    editor = Editor()
    uri = "file:///a.py"
    text = "class A:\n    def f(self, a, b):\n        return a\n\n    def g(self):\n        return self.f(1, (2, 3)) + self.f(1)\n"
    editor.open(uri, text, "python")
    editor.change(uri, ", b", "")
    assert editor.follow(uri) == [5]
    assert "self.f(1) + self.f(1)" in editor.texts[uri], editor.texts[uri]
    editor.client.close()


def test_what_was_changed_twice_is_asked_of_the_model():
    text = "void f(void)\n{\n    put(10, a);\n    put(10, b);\n    put(10, c);\n    put(10, d);\n}\n"
    for script, rows in (("unlikely (10 => (LIMIT\n", [4, 5]), ("unlikely (LIMIT => (10\n", [])):
        editor = Editor(script)
        uri = "file:///a.c"
        editor.open(uri, text)
        editor.change(uri, "10", "LIMIT")
        assert editor.next(uri) is None  # once is not twice
        editor.change(uri, "10", "LIMIT")
        assert editor.follow(uri) == rows, (script, editor.texts[uri])
        editor.client.close()


def test_what_was_inserted_twice():
    editor = Editor("unlikely none => (a, NULL\n")
    uri = "file:///a.c"
    editor.open(uri, "void f(void)\n{\n    put_it(a);\n    put_it(a);\n    put_it(a);\n    other(a);\n}\n")
    for nth in (0, 1):
        at = editor.texts[uri].index("put_it(a)", 30 * nth) + len("put_it(a")
        for i, c in enumerate(", NULL"):
            editor.replace(uri, at + i, at + i, c)
        editor.cursor = at + len(", NULL")
    assert editor.follow(uri) == [4], editor.texts[uri]
    editor.client.close()


def test_no_error_is_added():
    for argument, offered in (("scale +", False), ("scale + 1", True)):
        editor = Editor("prob 0.9\nanswer area(3, =>  %s)\n" % argument)
        uri = "file:///a.c"
        editor.open(uri, AREA.replace("int area(int w);\n", ""))
        editor.change(uri, "int w", "int w, int scale")
        assert (editor.next(uri) is not None) == offered
    editor.client.close()


def test_whole_texts_and_what_is_over():
    editor = Editor()
    uri = "file:///a.c"
    editor.open(uri, SUM)
    text = SUM.replace("int cnt = 0", "int total = 0")
    editor.client.change(uri, 2, {"text": text})
    editor.texts[uri], editor.versions[uri], editor.cursor = text, 2, 0
    assert editor.follow(uri) == [4, 5]
    editor.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    editor.open(uri, SUM)
    assert editor.next(uri, 0) is None  # nothing was changed since
    editor.client.close()


def test_an_edit_ends_the_question():
    editor = Editor("token_ms 500\nunlikely (10 => (LIMIT\n")
    uri, params = "file:///a.c", {"textDocument": {"uri": "file:///a.c"}, "position": {"line": 0, "character": 0}}
    editor.open(uri, "int a = f(10);\nint b = f(10);\nint c = f(10);\n")
    editor.change(uri, "10", "LIMIT")
    editor.change(uri, "10", "LIMIT")
    asked = editor.client.request(METHOD, params)
    editor.change(uri, "int c", "long c")
    assert editor.client.answer(asked)["result"] in (None, {"edits": []})
    first, second = editor.client.request(METHOD, params), editor.client.request(METHOD, params)
    assert editor.client.answer(first)["error"]["code"] == -32800
    assert "result" in editor.client.answer(second)
    editor.client.close()


def test_off_unless_wanted():
    client = Client()
    assert "experimental" not in client.initialized["capabilities"]
    client.open("file:///a.c", SUM)
    client.change("file:///a.c", 2, {"range": {"start": {"line": 2, "character": 8}, "end": {"line": 2, "character": 11}},
                                     "text": "total"})
    params = {"textDocument": {"uri": "file:///a.c"}, "position": {"line": 2, "character": 13}}
    assert client.ask(METHOD, params) is None
    client.close()
    editor = Editor()
    assert editor.client.initialized["capabilities"]["experimental"] == {"inlineEditProvider": True}
    editor.open("file:///a.c", SUM)
    editor.change("file:///a.c", "cnt", "total")
    assert editor.next("file:///a.c", method="textDocument/copilotInlineEdit")
    assert editor.client.fail(METHOD, {"textDocument": {"uri": "file:///a.c"}}) == -32602
    editor.client.close()


run_tests(globals())
