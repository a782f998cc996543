// The status item: model, state, and why nothing was suggested. It asks the server after each
// answered inline completion, and once a second only while the model is being opened.
import {
  type Disposable,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
  workspace,
} from 'vscode'
import type { LanguageClient } from 'vscode-languageclient/node'

// The part of r1ls/status that is shown.
export type ServerStatus = {
  engine: 'loading' | 'ready' | 'failed'
  error?: string
  model?: { name: string; architecture: string; quantisation: string; isa: string; threads: number }
  busy: boolean
  residentBytes: number
  trusted: boolean
  scanning: boolean
  lastSuggestions: Record<string, string>
}

const SHOWN = 'suggestion'

export class Status implements Disposable {
  private readonly item: StatusBarItem
  private timer: NodeJS.Timeout | undefined
  private failure = ''
  last: ServerStatus | undefined

  constructor(private readonly client: () => LanguageClient | undefined) {
    this.item = window.createStatusBarItem('r1ls.status', StatusBarAlignment.Right, 100)
    this.item.name = 'r1ls'
    this.item.command = 'r1ls.menu'
    this.draw()
    this.item.show()
  }

  dispose(): void {
    clearTimeout(this.timer)
    this.item.dispose()
  }

  // The server is gone or could not be started; the text says why.
  fail(text: string): void {
    this.failure = text
    this.last = undefined
    this.draw()
  }

  // Several reasons to look within a moment make one request.
  refresh(delayMs = 250): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.ask(), delayMs)
  }

  private async ask(): Promise<void> {
    const client = this.client()
    if (!client?.isRunning()) return
    try {
      this.last = await client.sendRequest<ServerStatus>('r1ls/status', {})
      this.failure = this.last.engine === 'failed' ? (this.last.error ?? 'no engine') : ''
    } catch {
      return // the server is being stopped; its new state is told by another way
    }
    this.draw()
    if (this.last.engine === 'loading') this.refresh(1000)
  }

  // Why the document before the user got no suggestion; empty where it got one or none was asked.
  whyNothing(): string {
    const uri = window.activeTextEditor?.document.uri.toString()
    const why = uri === undefined ? undefined : this.last?.lastSuggestions[uri]
    return !why || why.startsWith(SHOWN) ? '' : why
  }

  private draw(): void {
    const state = this.last
    const enabled = workspace.getConfiguration('r1ls').get<boolean>('inlineCompletion', true)
    let icon = '$(loading~spin)'
    let text = 'starting'
    if (this.failure) [icon, text] = ['$(error)', 'failed']
    else if (state?.engine === 'ready')
      [icon, text] = [enabled ? '$(sparkle)' : '$(circle-slash)', state.model?.name || 'ready']
    this.item.text = `${icon} r1ls: ${text}`
    this.item.backgroundColor = this.failure
      ? new ThemeColor('statusBarItem.errorBackground')
      : undefined
    this.item.tooltip = this.tooltip(enabled)
    this.item.accessibilityInformation = { label: `r1ls ${text} ${this.failure}` }
  }

  private tooltip(enabled: boolean): MarkdownString {
    const lines: string[] = []
    const state = this.last
    if (this.failure) lines.push(`**${this.failure}**`)
    if (state?.model) {
      const { name, architecture, quantisation, isa, threads } = state.model
      lines.push(`${name} (${architecture}, ${quantisation}), ${threads} threads, ${isa}`)
      lines.push(`${Math.round(state.residentBytes / 1e6)} MB in memory`)
    }
    if (state) {
      lines.push(state.trusted ? 'Folder trusted: candidates are compiled and tested.' : 'Folder not trusted: nothing of it is executed; edits are unverified.')
      if (state.scanning) lines.push('Reading the project…')
    }
    if (!enabled) lines.push('Ghost text is switched off.')
    const why = this.whyNothing()
    if (why) lines.push(`No suggestion: ${why}`)
    return new MarkdownString(lines.join('\n\n'))
  }
}
