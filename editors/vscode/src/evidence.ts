// What the server says about an edit travels in its change annotations. An unverified one is asked
// about with its evidence (preview.ts); a verified one's is shown in the status bar. Both are logged.
import { StatusBarAlignment, window } from 'vscode'
import type { ChangeAnnotation, WorkspaceEdit } from 'vscode-languageclient'

const SHOWN_MS = 10_000
const SHOWN_LENGTH = 70

// One line for each annotation; the details (a command, an output) only where there is room.
export function evidenceLines(edit: WorkspaceEdit | undefined, withDetails = false): string[] {
  const annotations: Record<string, ChangeAnnotation> = edit?.changeAnnotations ?? {}
  return Object.values(annotations).map((one) => {
    // The label itself says what passed: the tests, or no more than the compiler.
    const verdict = one.needsConfirmation ? 'not verified' : ''
    return [verdict, one.label, withDetails ? one.description : ''].filter(Boolean).join(' · ')
  })
}

export function logEvidence(edit: WorkspaceEdit | undefined, log: (line: string) => void): void {
  for (const line of evidenceLines(edit, true)) log(line)
}

// The bar has room for the verdict; the rest is in the tooltip, and in the log that a click opens.
export function showEvidence(edit: WorkspaceEdit | undefined): void {
  const lines = evidenceLines(edit)
  if (lines.length === 0) return
  const item = window.createStatusBarItem(StatusBarAlignment.Left)
  item.name = 'r1ls evidence'
  item.text = `$(beaker) ${lines[0].length > SHOWN_LENGTH ? lines[0].slice(0, SHOWN_LENGTH - 1) + '…' : lines[0]}`
  item.tooltip = evidenceLines(edit, true).join('\n')
  item.command = 'r1ls.showLog'
  item.show()
  setTimeout(() => item.dispose(), SHOWN_MS)
}
