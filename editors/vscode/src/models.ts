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

async function useModel(value: string): Promise<void> {
  await workspace.getConfiguration('r1ls').update('model', value, ConfigurationTarget.Global)
  await commands.executeCommand('r1ls.restart')
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

export async function pullModel(program: string): Promise<void> {
  const name = await window.showInputBox({
    title: 'r1ls: fetch a model',
    prompt: 'A name of the catalogue, or the address of a GGUF file',
  })
  if (!name) return
  const outcome = await window.withProgress(
    { location: ProgressLocation.Notification, title: `r1ls: fetching ${name}`, cancellable: true },
    (progress, token) => {
      let shown = 0
      return runProgram(program, ['model', 'pull', name], token, (line) => {
        const percent = Number(/(\d+(?:\.\d+)?) ?%/.exec(line)?.[1] ?? shown)
        progress.report({ message: line, increment: Math.max(0, percent - shown) })
        shown = Math.max(shown, percent)
      }).then((result) => ({ ...result, cancelled: token.isCancellationRequested }))
    },
  )
  if (outcome.cancelled) return
  if (outcome.code !== 0) {
    void window.showErrorMessage(`r1ls: ${outcome.stderr.trim().split('\n').pop() ?? 'failed'}`)
    return
  }
  const path = join(modelFolder(), `${name}.gguf`)
  const use = 'Use It'
  const answer = await window.showInformationMessage(`r1ls: ${name} is here.`, use)
  if (answer === use) await useModel(existsSync(path) ? path : name)
}
