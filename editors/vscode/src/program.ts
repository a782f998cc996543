// The r1ls program: where it is, what it can do, and running its commands beside the server.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type CancellationToken, type ExtensionContext, workspace } from 'vscode'

export function findProgram(context: ExtensionContext): string {
  const own = workspace.getConfiguration('r1ls').get<string>('server.path', '')
  if (own) return own
  const name = process.platform === 'win32' ? 'r1ls.exe' : 'r1ls'
  const packaged = context.asAbsolutePath(`server/${name}`)
  return existsSync(packaged) ? packaged : name
}

export type Outcome = { code: number | null; stdout: string; stderr: string }

// Runs a command to its end; cancelling asks it to stop. Lines of stdout are handed over as they come.
export function runProgram(
  program: string,
  args: string[],
  token?: CancellationToken,
  onLine?: (line: string) => void,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const outcome: Outcome = { code: null, stdout: '', stderr: '' }
    const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const cancelled = token?.onCancellationRequested(() => child.kill())
    const finish = (code: number | null) => {
      cancelled?.dispose()
      resolve({ ...outcome, code })
    }
    let partial = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      outcome.stdout += text
      const lines = (partial + text).split('\n')
      partial = lines.pop() ?? ''
      for (const line of lines) onLine?.(line)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text))
    child.on('error', (error) => {
      outcome.stderr += error.message
      finish(null)
    })
    child.on('close', finish)
  })
}

export type Abilities = { modelPull: boolean; audit: boolean }

// Asked of the program itself, so that an older or newer server shows the commands it really has.
export async function askAbilities(program: string): Promise<Abilities> {
  const [top, model] = await Promise.all([
    runProgram(program, ['--help']),
    runProgram(program, ['model', '--help']),
  ])
  return {
    modelPull: /\bmodel pull\b|^\s*pull\b|\| *pull\b/m.test(model.stdout),
    audit: /^\s+audit\s/m.test(top.stdout),
  }
}
