// Choosing a model among those on this machine, and fetching others through the program itself.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'
import {
  commands,
  ConfigurationTarget,
  ProgressLocation,
  QuickPickItemKind,
  type QuickPickItem,
  window,
  workspace,
} from 'vscode'
import { runProgram } from './program'

type ModelItem = QuickPickItem & { value?: string; action?: 'browse' | 'pull' }

export function modelFolder(): string {
  const cache = process.env.XDG_CACHE_HOME
  return join(cache && isAbsolute(cache) ? cache : join(homedir(), '.cache'), 'r1ls', 'models')
}

function installedModels(): ModelItem[] {
  const folder = modelFolder()
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.gguf'))
    .sort()
    .map((name) => ({
      label: basename(name, '.gguf'),
      description: `${Math.round(statSync(join(folder, name)).size / 1e6)} MB`,
      value: join(folder, name),
    }))
}

// The change of the setting starts the server anew.
async function useModel(value: string): Promise<void> {
  await workspace.getConfiguration('r1ls').update('model', value, ConfigurationTarget.Global)
}

export async function chooseModel(canPull: boolean): Promise<void> {
  const current = workspace.getConfiguration('r1ls').get<string>('model', '')
  const items: ModelItem[] = [
    { label: 'embedded', description: 'the small model inside the server', value: '' },
    ...installedModels(),
    { label: '', kind: QuickPickItemKind.Separator },
    { label: '$(folder-opened) A GGUF file…', action: 'browse' },
  ]
  if (canPull) items.push({ label: '$(cloud-download) Fetch a model…', action: 'pull' })
  for (const item of items) if (item.value === current) item.detail = 'in use'
  const chosen = await window.showQuickPick(items, { title: 'r1ls: model', matchOnDescription: true })
  if (chosen?.value !== undefined) await useModel(chosen.value)
  else if (chosen?.action === 'pull') await commands.executeCommand('r1ls.pullModel')
  else if (chosen?.action === 'browse') {
    const [file] = (await window.showOpenDialog({ filters: { 'GGUF model': ['gguf'] } })) ?? []
    if (file) await useModel(file.fsPath)
  }
}

type PullEvent = { event: 'progress' | 'done' | 'error'; done?: number; total?: number; path?: string; message?: string }

function readEvent(line: string): PullEvent | undefined {
  try {
    return JSON.parse(line) as PullEvent
  } catch {
    return undefined // not of the program's
  }
}

async function askForFile(): Promise<{ url: string; sha256: string } | undefined> {
  const url = await window.showInputBox({
    title: 'r1ls: fetch a model (1 of 2)',
    prompt: 'The address of a GGUF file. There is no catalogue: nothing is fetched but what you name here.',
    placeHolder: 'https://host/folder/model.gguf',
    ignoreFocusOut: true,
    validateInput: (text) => (/^https?:\/\/[^\s/]+\/\S+$/i.test(text.trim()) ? undefined : 'wanted an address that begins with https:// or http:// and names a file'),
  })
  if (!url) return undefined
  const sha256 = await window.showInputBox({
    title: 'r1ls: fetch a model (2 of 2)',
    prompt: 'Its SHA-256, as its publisher gives it. A file with another one is removed.',
    placeHolder: '64 hexadecimal digits',
    ignoreFocusOut: true,
    validateInput: (text) => (/^[0-9a-f]{64}$/i.test(text.trim()) ? undefined : 'wanted 64 hexadecimal digits'),
  })
  return sha256 ? { url: url.trim(), sha256: sha256.trim() } : undefined
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)

// What was fetched stays when it is cancelled: the next time goes on there.
export async function pullModel(program: string): Promise<void> {
  const file = await askForFile()
  if (!file) return
  let last: PullEvent | undefined
  const options = { location: ProgressLocation.Notification, title: 'r1ls: fetching the model', cancellable: true }
  const outcome = await window.withProgress(options, async (progress, token) => {
    let shown = 0
    const result = await runProgram(program, ['model', 'pull', file.url, '--sha256', file.sha256, '--json'], token, (line) => {
      const event = readEvent(line)
      last = event ?? last
      if (event?.event !== 'progress' || !event.total) return
      const { done = 0, total } = event
      const percent = (100 * done) / total
      progress.report({ message: `${megabytes(done)} of ${megabytes(total)} MB`, increment: percent - shown })
      shown = percent
    })
    return { ...result, cancelled: token.isCancellationRequested }
  })
  if (outcome.cancelled) return
  if (outcome.code !== 0 || !last?.path) {
    const why = last?.message ?? outcome.stderr.trim().split('\n').pop()
    void window.showErrorMessage(`r1ls: the model was not fetched: ${why || `the program ended with ${outcome.code}`}`)
    return
  }
  const use = 'Use It'
  const answer = await window.showInformationMessage(`r1ls: ${basename(last.path, '.gguf')} is here, and its checksum is right.`, use)
  if (answer === use) await useModel(last.path)
}
