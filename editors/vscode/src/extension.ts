// Starts the client, and gives the server's abilities names in the command palette. Decides nothing
// that the server could decide.
import {
  commands,
  ConfigurationTarget,
  env,
  type ExtensionContext,
  type QuickPickItem,
  window,
  workspace,
} from 'vscode'
import { type LanguageClient, State } from 'vscode-languageclient/node'
import { showAudit } from './audit'
import { newClient } from './client'
import { chooseModel, pullModel } from './models'
import { NextEdit } from './nextEdit'
import { PAGE_SCHEME, Pages } from './pages'
import { type Abilities, askAbilities, findProgram } from './program'
import { Status } from './status'

// What the tests reach; nothing else uses it.
export type Api = { client(): LanguageClient | undefined; status: Status; nextEdit: NextEdit }

let client: LanguageClient | undefined
let abilities: Abilities = { modelPull: false, audit: false }

async function explain(pages: Pages, status: Status): Promise<void> {
  const document = window.activeTextEditor?.document
  if (!client?.isRunning() || !document) {
    void window.showInformationMessage('r1ls: there is no open file to explain a suggestion of.')
    return
  }
  const params = { textDocument: { uri: document.uri.toString() } }
  const found = await client.sendRequest<{ why: string } | null>('r1ls/explain', params)
  status.refresh(0)
  if (!found) {
    void window.showInformationMessage('r1ls: no suggestion was asked for in this file yet.')
    return
  }
  const details = 'Details'
  const answer = await window.showInformationMessage(`r1ls: ${found.why}`, details)
  if (answer === details) await pages.show('suggestion.json', JSON.stringify(found, null, 2))
}

// What is selected, else the clipboard: an output is somewhere else than in a file.
async function debugOutput(): Promise<void> {
  const editor = window.activeTextEditor
  const selected = editor?.selections.map((one) => editor.document.getText(one)).join('\n') ?? ''
  const output = selected.trim() ? selected : await env.clipboard.readText()
  if (!output.trim()) {
    void window.showInformationMessage('r1ls: select or copy what a test, a compiler or a sanitizer printed, and try again.')
    return
  }
  await commands.executeCommand('r1ls.debugOutput', { output })
}

async function toggleGhostText(): Promise<void> {
  const config = workspace.getConfiguration('r1ls')
  const now = config.get<boolean>('inlineCompletion', true)
  await config.update('inlineCompletion', !now, ConfigurationTarget.Global)
}

async function trustFolder(): Promise<void> {
  if (!workspace.isTrusted) await commands.executeCommand('workbench.trust.manage')
  else void window.showInformationMessage('r1ls: this folder is trusted; what is generated is compiled and tested in a scratch copy.')
}

type MenuItem = QuickPickItem & { command: string; arguments?: unknown[] }

async function showMenu(status: Status): Promise<void> {
  const items: MenuItem[] = [
    { label: '$(lightbulb) Generate, debug, test here', command: 'r1ls.actions' },
    { label: '$(bug) Fix what an output tells', detail: 'the selection, or the clipboard', command: 'r1ls.debugFromOutput' },
    { label: '$(question) Why is nothing suggested?', detail: status.whyNothing() || undefined, command: 'r1ls.explain' },
    { label: '$(eye) Ghost text on or off', command: 'r1ls.toggleGhostText' },
    { label: '$(database) Choose the model', command: 'r1ls.chooseModel' },
    { label: '$(shield) Trust this folder', command: 'r1ls.trustFolder' },
    { label: '$(debug-restart) Restart the server', command: 'r1ls.restart' },
    { label: '$(output) Show the log', command: 'r1ls.showLog' },
    { label: '$(gear) Settings', command: 'workbench.action.openSettings', arguments: ['@ext:r1ls.r1ls'] },
  ]
  if (abilities.audit) items.push({ label: '$(history) Recorded runs', command: 'r1ls.showAudit' })
  const chosen = await window.showQuickPick(items, { title: 'r1ls' })
  if (chosen) await commands.executeCommand(chosen.command, ...(chosen.arguments ?? []))
}

export async function activate(context: ExtensionContext): Promise<Api> {
  const log = window.createOutputChannel('r1ls', { log: true })
  const status = new Status(() => client)
  const pages = new Pages()
  const nextEdit = new NextEdit(() => client)
  const program = () => findProgram(context)

  const start = async () => {
    try {
      const fresh = newClient({ context, log, status, pages, client: () => client })
      client = fresh
      fresh.onDidChangeState(({ newState }) => {
        if (newState === State.Running) status.refresh(0)
      })
      await fresh.start()
    } catch (error) {
      const text = `The server ${program()} could not be started: ${error instanceof Error ? error.message : String(error)}`
      status.fail(text)
      void window.showErrorMessage(`r1ls: ${text}`)
    }
  }
  // A new client, not client.restart(): path, arguments and model may have changed. One after the other,
  // because two clients cannot register the same commands.
  let turn = Promise.resolve()
  const restart = () => {
    turn = turn.then(async () => {
      const old = client
      client = undefined
      await old?.dispose().catch((error) => log.warn(`the old server did not stop: ${error}`))
      await start()
    })
    return turn
  }

  const on = (name: string, run: (...args: never[]) => unknown) =>
    context.subscriptions.push(commands.registerCommand(name, run))
  on('r1ls.restart', restart)
  on('r1ls.chooseModel', () => chooseModel(abilities.modelPull))
  on('r1ls.pullModel', () => pullModel(program()))
  on('r1ls.explain', () => explain(pages, status))
  on('r1ls.trustFolder', trustFolder)
  on('r1ls.showLog', () => log.show())
  on('r1ls.showAudit', (number?: unknown) => showAudit(client, pages, program(), typeof number === 'number' ? number : undefined))
  on('r1ls.debugFromOutput', debugOutput)
  on('r1ls.toggleGhostText', toggleGhostText)
  on('r1ls.menu', () => showMenu(status))
  on('r1ls.actions', () => commands.executeCommand('editor.action.codeAction', { kind: '', apply: 'never' }))

  context.subscriptions.push(
    log,
    status,
    nextEdit,
    workspace.registerTextDocumentContentProvider(PAGE_SCHEME, pages),
    window.onDidChangeActiveTextEditor(() => status.refresh()),
    // Trust reaches the server as a change of its settings: it asks for them and gets the new answer.
    workspace.onDidGrantWorkspaceTrust(() => {
      void client?.sendNotification('workspace/didChangeConfiguration', { settings: null })
      status.refresh(500)
    }),
    workspace.onDidChangeConfiguration((change) => {
      const anew = ['model', 'threads', 'context', 'server.path', 'server.arguments']
      if (anew.some((key) => change.affectsConfiguration(`r1ls.${key}`))) void restart()
    }),
  )
  void askAbilities(program()).then((found) => {
    abilities = found
    void commands.executeCommand('setContext', 'r1ls.canPull', found.modelPull)
    void commands.executeCommand('setContext', 'r1ls.canAudit', found.audit)
  })
  turn = start()
  await turn
  return { client: () => client, status, nextEdit }
}

export async function deactivate(): Promise<void> {
  await client?.stop()
}
