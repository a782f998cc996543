// The handlers of all methods, one file per family, and what the families tell each other.
#pragma once

#include "dispatch.h"
#include "index/symbols.h"
#include "projects.h"

bool lifecycle_initialize(Call *call, Error *err);
bool lifecycle_initialized(Call *call, Error *err);
bool lifecycle_shutdown(Call *call, Error *err);
bool lifecycle_exit(Call *call, Error *err);
bool lifecycle_cancel_request(Call *call, Error *err);
bool lifecycle_cancel_progress(Call *call, Error *err);
bool lifecycle_ignore(Call *call, Error *err);

bool configuration_changed(Call *call, Error *err);
// Lays initializationOptions over the flags; warnings are kept back until the client may be told.
void configuration_init(Connection *conn, Json *options);
// Asks the client for its settings, where it answers such questions.
void configuration_pull(Connection *conn);

bool sync_did_open(Call *call, Error *err);
bool sync_did_change(Call *call, Error *err);
bool sync_did_save(Call *call, Error *err);
bool sync_did_close(Call *call, Error *err);
// The open document of params.textDocument.uri, or NULL. ERROR_INVALID if params names none.
bool sync_find_document(Call *call, Document **doc, Error *err);
// The settings that hold for that document; without one, those of the connection's root.
const Config *sync_config(const Call *call);

bool inline_completion_request(Call *call, Error *err);
// What ghost text at this place asks of the engine by the settings; what it points to is the
// document's.
CompleteRequest inline_completion_like(Connection *conn, const Document *doc, size_t byte_off);

bool inline_edit_request(Call *call, Error *err);
bool inline_edit_shown(Call *call, Error *err);
// Before a change: are edits of the document kept?
void inline_edit_watch(const Connection *conn, Document *doc);

bool completion_request(Call *call, Error *err);
bool completion_resolve(Call *call, Error *err);

// Keeps the request until its document's current text is parsed, then calls answer. Answers null
// at once if the document is not open or the feature is not enabled.
bool structure_start(Call *call, bool enabled, void (*answer)(Request *request), Error *err);
// SymbolKind of the protocol.
int structure_symbol_kind(SymbolKind kind);
bool structure_document_symbol(Call *call, Error *err);
bool structure_folding_range(Call *call, Error *err);
bool structure_selection_range(Call *call, Error *err);

bool semantic_tokens_full(Call *call, Error *err);
bool semantic_tokens_delta(Call *call, Error *err);
bool semantic_tokens_range(Call *call, Error *err);
// Adds the provider with its legend.
void semantic_tokens_offer(Json *caps);

bool names_document_highlight(Call *call, Error *err);
bool names_hover(Call *call, Error *err);

bool navigate_definition(Call *call, Error *err);
bool navigate_declaration(Call *call, Error *err);
bool navigate_references(Call *call, Error *err);
bool navigate_workspace_symbol(Call *call, Error *err);
bool navigate_resolve_symbol(Call *call, Error *err);
bool rename_prepare(Call *call, Error *err);
bool rename_request(Call *call, Error *err);
bool will_rename_files(Call *call, Error *err);
bool signature_help(Call *call, Error *err);

bool folders_changed(Call *call, Error *err);
bool folders_files_changed(Call *call, Error *err);
bool folders_files_moved(Call *call, Error *err);

// A Diagnostic; the document's text must be the parsed one.
Json *diagnostics_new_item(const Connection *conn, const Document *doc, const RuleFinding *found);
// Do the document's settings want this finding to be shown?
bool diagnostics_is_on(const Connection *conn, const Document *doc, const RuleFinding *found);
bool diagnostics_workspace(Call *call, Error *err);
// Tells the requests that are held open about a document that has been checked.
void diagnostics_tell_held(Connection *conn, const Document *doc);
// A report of the document's checked text; unchanged if previous_id is its id.
Json *diagnostics_new_report(const Connection *conn, const Document *doc, Str previous_id);
bool diagnostics_pull(Call *call, Error *err);
// A new text of doc: to be published when it has rested (delay_ms).
void diagnostics_schedule(Connection *conn, Document *doc, double delay_ms);
// Of a document that is due: false until it is checked.
bool diagnostics_push(Connection *conn, Document *doc);
void diagnostics_document_checked(Connection *conn, Document *doc);
// Is a report of the document due, or would somebody who holds a request open be told?
bool diagnostics_are_awaited(const Connection *conn, const Document *doc);
bool diagnostics_are_held(const Connection *conn);
// The compiler or the model has judged the document's current text, and found so much.
void diagnostics_found_later(Connection *conn, Document *doc, size_t n);
// Nothing is known of the document any more: what was published is taken back.
void diagnostics_clear(Connection *conn, const Document *doc);
// What settings say of the project's documents (NULL: of all) changed: publish, take back or ask
// the client to ask again.
void diagnostics_setting_changed(Connection *conn, const ProjectSettings *project);

bool code_action_list(Call *call, Error *err);
bool code_action_resolve(Call *call, Error *err);
bool commands_execute(Call *call, Error *err);

bool code_lens_request(Call *call, Error *err);
// What the lenses depend on has changed: the client is asked to ask again.
void code_lens_refresh(Connection *conn);

bool trust_request(Call *call, Error *err);

// Records what an ended job of the loop did, in the background; frees it.
void audit_job(struct Server *server, Job *job);
bool audit_request(Call *call, Error *err);

bool inspect_document_text(Call *call, Error *err);
bool inspect_status(Call *call, Error *err);
bool inspect_explain(Call *call, Error *err);
