// Pages that can be read and not written: an explanation, an audit record, the text after an edit.
import { type TextDocumentContentProvider, Uri, window, workspace } from 'vscode'

export const PAGE_SCHEME = 'r1ls'
const MAX_PAGES = 32

export class Pages implements TextDocumentContentProvider {
  private readonly texts = new Map<string, string>()
  private n = 0

  provideTextDocumentContent(uri: Uri): string {
    return this.texts.get(uri.toString()) ?? 'This page is no longer kept.'
  }

  // The path's end gives the page its title and its language.
  add(path: string, text: string): Uri {
    const uri = Uri.from({ scheme: PAGE_SCHEME, path: `/${path}`, query: String(++this.n) })
    this.texts.set(uri.toString(), text)
    for (const oldest of this.texts.keys()) {
      if (this.texts.size <= MAX_PAGES) break
      this.texts.delete(oldest)
    }
    return uri
  }

  async show(path: string, text: string): Promise<void> {
    const uri = this.add(path, text)
    await window.showTextDocument(await workspace.openTextDocument(uri), { preview: true })
  }
}
