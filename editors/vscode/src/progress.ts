// Work that can be cancelled is shown as a notification with a button for it; the client library
// shows all work in the status bar, where nothing can be cancelled.
import { type Progress, ProgressLocation, window } from 'vscode'
import type {
  LanguageClient,
  ProgressToken,
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from 'vscode-languageclient/node'

type Value = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd
type Work = {
  progress?: Progress<{ message?: string; increment?: number }>
  percentage: number
  end: () => void
}

export class CancellableWork {
  private readonly running = new Map<ProgressToken, Work>()
  constructor(private readonly client: () => LanguageClient | undefined) {}

  // True if the value belongs to work that is shown here.
  take(token: ProgressToken, value: Value): boolean {
    if (value.kind === 'begin') {
      if (value.cancellable) this.begin(token, value)
      return value.cancellable === true
    }
    const work = this.running.get(token)
    if (!work) return false
    if (value.kind === 'end') {
      work.end()
      return false // the client library's own entry has to end too
    }
    this.report(work, value)
    return true
  }

  // A server that died ends nothing.
  endAll(): void {
    for (const work of this.running.values()) work.end()
  }

  private begin(token: ProgressToken, value: WorkDoneProgressBegin): void {
    const options = { location: ProgressLocation.Notification, title: value.title, cancellable: true }
    const work: Work = { percentage: 0, end: () => {} }
    this.running.set(token, work)
    void window.withProgress(options, (progress, cancellation) => {
      cancellation.onCancellationRequested(() => {
        void this.client()?.sendNotification('window/workDoneProgress/cancel', { token })
      })
      work.progress = progress
      return new Promise<void>((resolve) => {
        work.end = () => {
          this.running.delete(token)
          resolve()
        }
      })
    })
  }

  private report(work: Work, value: WorkDoneProgressReport): void {
    const percentage = value.percentage ?? work.percentage
    work.progress?.report({ message: value.message, increment: percentage - work.percentage })
    work.percentage = percentage
  }
}
