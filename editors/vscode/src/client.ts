// The language client: how the server is started, what it is told, and what is noted of its answers.
// Ghost text, completion, diagnostics, code actions, lenses and progress are the protocol's own and
// need no code here.
import { type ExtensionContext, type LogOutputChannel, window, workspace } from 'vscode'
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  type ErrorHandlerResult,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  type ServerOptions,
  State,
  type StaticFeature,
  TransportKind,
  type WorkspaceEdit,
} from 'vscode-languageclient/node'
import { logEvidence, showEvidence } from './evidence'
import { CancellableWork } from './progress'
import type { Pages } from './pages'
import { confirmEdit, needsConfirmation } from './preview'
import { findProgram } from './program'
import { initializationOptions, serverSettings } from './settings'
import type { Status } from './status'

// grammars/languages.c, by VS Code's names.
export const LANGUAGES = [
  'c', 'cpp', 'csharp', 'css', 'go', 'html', 'java', 'javascript', 'javascriptreact', 'json',
  'lua', 'makefile', 'markdown', 'php', 'python', 'ruby', 'rust', 'shellscript', 'toml',
  'typescript', 'typescriptreact', 'yaml',
]

const MAX_CRASHES = 5
const CRASH_WINDOW_MS = 180_000

// Restarts a server that died, unless it dies again and again.
class CrashPolicy {
  private readonly crashes: number[] = []
  constructor(private readonly status: Status) {}

  error(): ErrorHandlerResult {
    return { action: ErrorAction.Continue }
  }

  closed(): CloseHandlerResult {
    const now = Date.now()
    this.crashes.push(now)
    const recent = this.crashes.filter((at) => now - at < CRASH_WINDOW_MS)
    if (recent.length < MAX_CRASHES) {
      this.status.fail('The server ended; it is being started again.')
      return { action: CloseAction.Restart, handled: true }
    }
    const text = `The server ended ${MAX_CRASHES} times within three minutes and stays off. See its log; "r1ls: Restart Server" tries again.`
    this.status.fail(text)
    return { action: CloseAction.DoNotRestart, message: `r1ls: ${text}` }
  }
}

type Parts = {
  context: ExtensionContext
  log: LogOutputChannel
  status: Status
  pages: Pages
  client: () => LanguageClient | undefined
}

// An action that was resolved without an edit does nothing: the diff takes over what VS Code would do.
function takeUnverified(parts: Parts, action: { edit?: WorkspaceEdit } | null): void {
  const { edit } = action ?? {}
  const client = parts.client()
  if (!action || !client || !edit) return
  delete action.edit
  void confirmEdit(client, parts.pages, edit).catch((error) => parts.log.error(String(error)))
}

function newMiddleware(parts: Parts, work: CancellableWork): Middleware {
  const { context, log, status } = parts
  const note = (line: string) => log.info(line)
  return {
    handleWorkDoneProgress: (token, value, next) => {
      if (!work.take(token, value)) next(token, value)
    },
    workspace: {
      // The section holds settings of this extension too, and never trust: the answer is composed.
      configuration: (params) =>
        params.items.map((item) => (item.section === 'r1ls' ? serverSettings(context) : null)),
      didChangeConfiguration: async (sections, next) => {
        await next(sections)
        status.refresh()
      },
      handleApplyEdit: async (params, next) => {
        const client = parts.client()
        logEvidence(params.edit, note)
        if (client && needsConfirmation(params.edit))
          return { applied: await confirmEdit(client, parts.pages, params.edit) }
        const result = await next(params, undefined as never)
        if (!(result instanceof Error) && result.applied) showEvidence(params.edit)
        return result
      },
    },
    sendRequest: async (type, param, token, next) => {
      const result = await next(type, param, token)
      const method = typeof type === 'string' ? type : type.method
      if (method === 'textDocument/inlineCompletion') status.refresh()
      if (method === 'codeAction/resolve') {
        const action = result as { edit?: WorkspaceEdit } | null
        logEvidence(action?.edit, note)
        if (needsConfirmation(action?.edit)) takeUnverified(parts, action)
        else showEvidence(action?.edit)
      }
      return result
    },
  }
}

// Tells the server that it may ask the user for a line of text.
const inputBox: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...capabilities.experimental, showInputBox: true }
  },
  initialize: () => {},
  getState: () => ({ kind: 'static' }),
  clear: () => {},
}

export function newClient(parts: Parts): LanguageClient {
  const { context, log, status } = parts
  const work = new CancellableWork(parts.client)
  const program = findProgram(context)
  const args = workspace.getConfiguration('r1ls').get<string[]>('server.arguments', [])
  const server: ServerOptions = { command: program, args, transport: TransportKind.stdio }
  const options: LanguageClientOptions = {
    documentSelector: LANGUAGES.flatMap((language) => [
      { scheme: 'file', language },
      { scheme: 'untitled', language },
    ]),
    synchronize: { configurationSection: 'r1ls' },
    initializationOptions: () => initializationOptions(context),
    outputChannel: log,
    errorHandler: new CrashPolicy(status),
    middleware: newMiddleware(parts, work),
  }
  const client = new LanguageClient('r1ls', 'r1ls', server, options)
  client.registerFeature(inputBox)
  client.onRequest('r1ls/showInputBox', async ({ title, prompt }: { title: string; prompt: string }) => ({
    value: (await window.showInputBox({ title, prompt })) ?? '',
  }))
  client.onDidChangeState(({ newState }) => {
    if (newState === State.Stopped) work.endAll()
  })
  return client
}
