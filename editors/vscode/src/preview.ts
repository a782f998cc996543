// An edit that is not verified is shown as a diff and applied only when the user says so. VS Code has
// a preview of its own for such edits; it hides the evidence and wants each change ticked, so the
// diff editor is used instead.
import { commands, TabInputTextDiff, type TextDocument, Uri, window, workspace } from 'vscode'
import {
  type LanguageClient,
  type TextDocumentEdit,
  TextEdit,
  type WorkspaceEdit,
} from 'vscode-languageclient/node'
import { evidenceLines } from './evidence'
import type { Pages } from './pages'

type Change = { document: TextDocument; version: number; edits: TextEdit[] }

export function needsConfirmation(edit: WorkspaceEdit | undefined): edit is WorkspaceEdit {
  return Object.values(edit?.changeAnnotations ?? {}).some((one) => one.needsConfirmation)
}

function isTextEdit(change: object): change is TextDocumentEdit {
  return 'textDocument' in change
}

async function readChanges(client: LanguageClient, edit: WorkspaceEdit): Promise<Change[]> {
  const convert = (uri: string) => client.protocol2CodeConverter.asUri(uri)
  const found: Change[] = []
  for (const change of (edit.documentChanges ?? []).filter(isTextEdit)) {
    const document = await workspace.openTextDocument(convert(change.textDocument.uri))
    const edits = change.edits.filter((one): one is TextEdit => TextEdit.is(one))
    found.push({ document, version: document.version, edits })
  }
  return found
}

function textAfter(change: Change): string {
  const { document } = change
  const places = change.edits
    .map((edit) => ({
      from: document.offsetAt(document.positionAt(0).with(edit.range.start.line, edit.range.start.character)),
      to: document.offsetAt(document.positionAt(0).with(edit.range.end.line, edit.range.end.character)),
      text: edit.newText,
    }))
    .sort((a, b) => b.from - a.from) // from the end, so that offsets stay true
  let text = document.getText()
  for (const { from, to, text: inserted } of places) text = text.slice(0, from) + inserted + text.slice(to)
  return text
}

async function closeDiffs(pages: Uri[]): Promise<void> {
  const shown = new Set(pages.map(String))
  const tabs = window.tabGroups.all
    .flatMap((group) => group.tabs)
    .filter((tab) => tab.input instanceof TabInputTextDiff && shown.has(String(tab.input.modified)))
  await window.tabGroups.close(tabs)
}

// Shows the edit and applies it if the user wants it. False: nothing was changed.
export async function confirmEdit(
  client: LanguageClient,
  pages: Pages,
  edit: WorkspaceEdit,
): Promise<boolean> {
  const changes = await readChanges(client, edit)
  const evidence = evidenceLines(edit).join('; ')
  const after: Uri[] = []
  for (const change of changes) {
    const page = pages.add(workspace.asRelativePath(change.document.uri), textAfter(change))
    after.push(page)
    const title = `${workspace.asRelativePath(change.document.uri)} (r1ls: not verified)`
    await commands.executeCommand('vscode.diff', change.document.uri, page, title, { preview: false })
  }
  const apply = 'Apply'
  const answer = await window.showWarningMessage(`r1ls: ${evidence}`, apply, 'Discard')
  await closeDiffs(after)
  if (answer !== apply) return false
  if (changes.some((change) => change.document.version !== change.version)) {
    void window.showWarningMessage('r1ls: the text has changed since, so the edit was not applied.')
    return false
  }
  // It has been confirmed: VS Code must not ask a second time.
  const annotations = Object.entries(edit.changeAnnotations ?? {}).map(([id, one]) => [id, { ...one, needsConfirmation: false }])
  const confirmed = { ...edit, changeAnnotations: Object.fromEntries(annotations) }
  return workspace.applyEdit(await client.protocol2CodeConverter.asWorkspaceEdit(confirmed))
}
