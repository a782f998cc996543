// documentChanges with an annotation where the client takes them, else plain changes.
#include "features/file_edits.h"

static Json *new_edits(const FileEdits *file, const char *annotation)
{
    Json *edits = json_object_new_array();
    for (size_t i = 0; i < file->n; i++) {
        Json *edit = json_object_new_object();
        types_put(edit, "range", types_new_range(file->items[i].range));
        types_put_str(edit, "newText", file->items[i].text);
        if (annotation) types_put_text(edit, "annotationId", annotation);
        json_object_array_add(edits, edit);
    }
    return edits;
}

static void put_version(const Request *request, Json *document, Str path)
{
    const Document *doc = documents_find_path(&request->conn->documents, path);
    if (!doc) doc = documents_find(&request->conn->documents, path);
    if (doc)
        types_put_int(document, "version", doc->version);
    else
        types_put(document, "version", NULL);
}

Json *file_edits_new(const Request *request, const FileEdits *files, size_t n_files, Str label)
{
    const ClientCaps *caps = &request->conn->caps;
    const char *annotation = caps->document_changes && caps->change_annotations ? "edit" : NULL;
    Json *edit = json_object_new_object();
    Json *list = caps->document_changes ? types_put_array(edit, "documentChanges")
                                        : types_put_object(edit, "changes");
    for (size_t i = 0; i < n_files; i++) {
        Json *edits = new_edits(&files[i], annotation);
        Json *document = json_object_new_object();
        question_put_uri(request, document, "uri", files[i].path);
        if (!caps->document_changes) {
            types_put(list, types_str(document, "uri").ptr, edits);
            json_object_put(document);
            continue;
        }
        put_version(request, document, files[i].path);
        Json *change = json_object_new_object();
        types_put(change, "textDocument", document);
        types_put(change, "edits", edits);
        json_object_array_add(list, change);
    }
    if (!annotation) return edit;
    Json *about = types_put_object(types_put_object(edit, "changeAnnotations"), annotation);
    types_put_str(about, "label", label);
    types_put_bool(about, "needsConfirmation", n_files > 1);
    return edit;
}
