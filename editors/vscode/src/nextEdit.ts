// The next edit (textDocument/inlineEdit): what was changed asks for another change elsewhere. VS Code has no
// stable API for it, so it is shown by decorations and taken by Tab: the first goes to the place, the second
// changes it. Asked for once the typing rests, and only with the setting nextEdit, which is off.
import {
  type Disposable,
  Range,
  Selection,
  type TextDocument,
  type TextEditor,
  TextEditorRevealType,
  ThemeColor,
  commands,
  window,
  workspace,
} from 'vscode'
import type { Command, LanguageClient, Range as ServerRange } from 'vscode-languageclient/node'

type Item = { text: string; range: ServerRange; textDocument: { version: number }; command: Command }
type Shown = { editor: TextEditor; version: number; range: Range; item: Item }

const REST_MS = 400
const MAX_LABEL = 60
const CONTEXT = 'r1ls.nextEditShown'

const label = (text: string) => {
  const line = text.replace(/\s+/g, ' ')
  return line.length > MAX_LABEL ? `${line.slice(0, MAX_LABEL)}…` : line
}

export class NextEdit implements Disposable {
  private readonly place = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor('diffEditor.removedTextBackground'),
    after: { margin: '0 0 0 1ch', color: new ThemeColor('editorGhostText.foreground'), fontStyle: 'italic' },
  })
  private readonly hint = window.createTextEditorDecorationType({
    after: { margin: '0 0 0 2ch', color: new ThemeColor('editorGhostText.foreground'), fontStyle: 'italic' },
  })
  private readonly parts: Disposable[]
  private timer: NodeJS.Timeout | undefined
  private shown: Shown | undefined

  constructor(private readonly client: () => LanguageClient | undefined) {
    this.parts = [
      this.place,
      this.hint,
      workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
        if (contentChanges.length > 0) this.changed(document)
      }),
      window.onDidChangeActiveTextEditor(() => this.clear()),
      window.onDidChangeTextEditorSelection(({ textEditor }) => {
        if (textEditor === this.shown?.editor) this.draw()
      }),
      commands.registerCommand('r1ls.nextEdit', () => this.go()),
      commands.registerCommand('r1ls.dismissNextEdit', () => this.clear()),
    ]
  }

  dispose(): void {
    this.clear()
    for (const part of this.parts) part.dispose()
  }

  // What is offered now: where, and the new text. For the tests.
  offered(): { range: Range; text: string } | undefined {
    return this.shown && { range: this.shown.range, text: this.shown.item.text }
  }

  private isOn(document: TextDocument): boolean {
    return workspace.getConfiguration('r1ls', document).get<boolean>('nextEdit', false)
  }

  private changed(document: TextDocument): void {
    const editor = window.activeTextEditor
    if (editor?.document !== document) return
    this.clear()
    if (this.isOn(document)) this.timer = setTimeout(() => void this.ask(editor), REST_MS)
  }

  private async ask(editor: TextEditor): Promise<boolean> {
    const client = this.client()
    const { document } = editor
    const { version } = document
    if (!client?.isRunning() || !this.isOn(document)) return false
    const found = await client
      .sendRequest<{ edits: Item[] } | null>('textDocument/inlineEdit', {
        textDocument: { uri: client.code2ProtocolConverter.asUri(document.uri), version },
        position: client.code2ProtocolConverter.asPosition(editor.selection.active),
      })
      .catch(() => null) // a newer question has ended this one
    const item = found?.edits[0]
    if (!item || document.version !== version || window.activeTextEditor !== editor) return false
    this.shown = { editor, version, range: client.protocol2CodeConverter.asRange(item.range), item }
    this.draw()
    void commands.executeCommand('setContext', CONTEXT, true)
    void client.sendNotification('textDocument/didShowInlineEdit', { item: { command: item.command } })
    return true
  }

  private isThere({ editor, range }: Shown): boolean {
    const { active } = editor.selection
    return active.line === range.start.line && active.isAfterOrEqual(range.start) && active.isBeforeOrEqual(range.end)
  }

  private draw(): void {
    if (!this.shown) return
    const { editor, range, item } = this.shown
    const there = this.isThere(this.shown)
    const text = item.text ? `→ ${label(item.text)}` : '→ (removed)'
    editor.setDecorations(this.place, [{ range, renderOptions: { after: { contentText: there ? `${text}  Tab` : text } } }])
    const end = editor.document.lineAt(editor.selection.active.line).range.end
    const goes = `Tab: next edit in line ${range.start.line + 1}`
    editor.setDecorations(this.hint, there ? [] : [{ range: new Range(end, end), renderOptions: { after: { contentText: goes } } }])
  }

  private clear(): void {
    clearTimeout(this.timer)
    if (!this.shown) return
    this.shown.editor.setDecorations(this.place, [])
    this.shown.editor.setDecorations(this.hint, [])
    this.shown = undefined
    void commands.executeCommand('setContext', CONTEXT, false)
  }

  // To the place; there, the change itself.
  private async go(): Promise<void> {
    const editor = window.activeTextEditor
    if (!editor) return
    if (!this.isOn(editor.document)) {
      void window.showInformationMessage('r1ls: the setting r1ls.nextEdit is off.')
      return
    }
    if (!this.shown && !(await this.ask(editor))) {
      void window.setStatusBarMessage('r1ls: nothing to change next', 3000)
      return
    }
    if (this.shown && !this.isThere(this.shown)) {
      const { range } = this.shown
      editor.selection = new Selection(range.start, range.start)
      editor.revealRange(range, TextEditorRevealType.InCenterIfOutsideViewport)
      this.draw()
    } else if (this.shown) {
      await this.accept(this.shown)
    }
  }

  private async accept({ editor, version, range, item }: Shown): Promise<void> {
    this.clear()
    if (editor.document.version !== version) return
    if (!(await editor.edit((edit) => edit.replace(range, item.text)))) return
    await commands.executeCommand(item.command.command, ...(item.command.arguments ?? []))
  }
}
