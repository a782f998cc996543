// Documents and their URIs: names, replacement, and what is refused.
#include "unit/unit.h"

#include "lsp/documents.h"
#include "lsp/uri.h"

static Document *open_document(Documents *documents, const char *uri, const char *id)
{
    Error err = {0};
    bool replaced;
    Document *doc = documents_open(documents, str_from(uri), str_from(id), 1, STR("one\ntwo\n"),
                                   "/home/me/project", &replaced, &err);
    assert_non_null(doc);
    return doc;
}

static void documents_know_names_and_languages(void **state)
{
    (void)state;
    Documents documents = {0};
    Document *doc = open_document(&documents, "file:///home/me/project/src/a%20b.c", "c");
    assert_string_equal(doc->name, "src/a b.c");
    assert_string_equal(doc->path, "/home/me/project/src/a b.c");
    assert_string_equal(doc->lang->id, "c");
    doc = open_document(&documents, "file:///elsewhere/x.py", "strange");
    assert_string_equal(doc->name, "x.py");
    assert_string_equal(doc->lang->id, "python");
    doc = open_document(&documents, "untitled:Untitled-1", "python");
    assert_string_equal(doc->path, "");
    assert_string_equal(doc->lang->id, "python");
    doc = open_document(&documents, "file:///home/me/projects/y", "strange");
    assert_string_equal(doc->name, "y");
    assert_null(doc->lang);
    assert_non_null(documents_find_path(&documents, STR("/elsewhere/x.py")));
    assert_null(documents_find_path(&documents, STR("")));
    while (documents.first)
        documents_close(&documents, documents.first);
}

static void apply(Document *doc, const char *json, bool wanted)
{
    Error err = {0};
    Json *change = json_tokener_parse(json);
    assert_int_equal(documents_apply(doc, change, POSITION_UTF16, &err), wanted);
    json_object_put(change);
}

static void documents_apply_keeps_snapshots_of_others(void **state)
{
    (void)state;
    Documents documents = {0};
    Document *doc = open_document(&documents, "file:///a.c", "c");
    TextSnap *before = text_retain(doc->text);
    uint64_t revision = doc->revision;
    apply(doc,
          "{\"range\":{\"start\":{\"line\":1,\"character\":0},\"end\":{\"line\":1,\"character\":3}}"
          ",\"text\":\"2\"}",
          true);
    assert_string_equal(text_str(doc->text).ptr, "one\n2\n");
    assert_string_equal(text_str(before).ptr, "one\ntwo\n");
    assert_int_equal(doc->revision, revision + 1);
    apply(doc, "{\"text\":\"all\"}", true);
    assert_string_equal(text_str(doc->text).ptr, "all");
    text_release(before);
    documents_close(&documents, doc);
}

static void documents_refuse_changes_that_are_none(void **state)
{
    (void)state;
    Documents documents = {0};
    Document *doc = open_document(&documents, "file:///a.c", "c");
    apply(doc, "{}", false);
    apply(doc, "{\"text\":5}", false);
    apply(doc, "{\"text\":\"x\",\"range\":5}", false);
    apply(doc, "{\"text\":\"x\",\"range\":{\"start\":{\"line\":0}}}", false);
    apply(doc, "7", false);
    assert_string_equal(text_str(doc->text).ptr, "one\ntwo\n");
    documents_close(&documents, doc);
}

static void assert_path(const char *uri, const char *wanted)
{
    Arena *arena = arena_new();
    Str path = uri_to_path(str_from(uri), arena);
    assert_int_equal(path.len, strlen(wanted));
    assert_memory_equal(path.ptr ? path.ptr : "", wanted, path.len);
    arena_free(arena);
}

static void uri_paths(void **state)
{
    (void)state;
    assert_path("file:///a/b.c", "/a/b.c");
    assert_path("file:///c%3A/x%20y", "/c:/x y");
    assert_path("FILE://localhost/a", "/a");
    assert_path("file:///a%2", "/a%2");
    assert_path("file:///a%zz", "/a%zz");
    assert_path("file:///a%00b", "");
    assert_path("file://host/a", "");
    assert_path("untitled:a", "");
    assert_path("", "");
    Arena *arena = arena_new();
    Str uri = uri_from_path(STR("/a b/\xC3\xA9#?%.c"), arena);
    assert_true(str_equal(uri, STR("file:///a%20b/%C3%A9%23%3F%25.c")));
    assert_true(str_equal(uri_to_path(uri, arena), STR("/a b/\xC3\xA9#?%.c")));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_know_names_and_languages),
        cmocka_unit_test(documents_apply_keeps_snapshots_of_others),
        cmocka_unit_test(documents_refuse_changes_that_are_none),
        cmocka_unit_test(uri_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
