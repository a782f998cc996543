// Runs inside VS Code's extension host. The report is a file, because this host's output goes nowhere.
const assert = require('node:assert')
const { appendFileSync } = require('node:fs')
const vscode = require('vscode')

const say = (line) => appendFileSync(process.env.R1LS_REPORT, `${line}\n`)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what, probe, patienceMs = 60_000) {
  const end = Date.now() + patienceMs
  while (Date.now() < end) {
    const found = await probe()
    if (found) return found
    await sleep(50)
  }
  throw new Error(`no ${what} within ${patienceMs / 1000} s`)
}

// Says "Apply" where it is asked about what is not verified; nobody else is here to answer.
async function confirm() {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs)
  if (tabs.some((tab) => tab.label.includes('not verified')))
    await vscode.commands.executeCommand('notification.acceptPrimaryAction')
}

// Runs a command that may ask before it applies an edit.
async function answered(command) {
  let ended = false
  const running = Promise.resolve(command()).finally(() => { ended = true })
  await until('end of the command', async () => {
    await confirm()
    return ended
  }, 120_000)
  return running
}

async function step(name, body) {
  const from = Date.now()
  const said = await body()
  say(`ok: in the extension host: ${name}${said ? `: ${said}` : ''} (${((Date.now() - from) / 1000).toFixed(1)} s)`)
}

async function open(name) {
  const uri = vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, name)
  return vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri))
}

const placeAfter = (document, text) => document.positionAt(document.getText().indexOf(text) + text.length)
const bodyAction = (actions) => actions.find((action) => /body/i.test(action.title))

// A test that wants what table_init does not do, thorough enough for a repair to count as verified.
async function writeFailingTest() {
  const at = (name) => vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, name)
  const test = '#include <assert.h>\n#include <stdint.h>\n#include "table.h"\n\nstatic void test_init(void)\n{\n    struct table t = {.n_entries = 9};\n    assert(table_init(&t, 4) == 1);\n    assert(t.n_buckets == 4 && t.n_entries == 0 && t.buckets && !t.buckets[3]);\n    assert(table_init(&t, SIZE_MAX) == -1);\n}\n\nint main(void)\n{\n    test_init();\n    return 0;\n}\n'
  await vscode.workspace.fs.writeFile(at('tests/test_table.c'), Buffer.from(test))
  const makefile = Buffer.from(await vscode.workspace.fs.readFile(at('Makefile'))).toString()
  const rule = '\ntest:\n\t$(CC) $(CFLAGS) -o test_table tests/test_table.c src/table.c\n\t./test_table\n'
  await vscode.workspace.fs.writeFile(at('Makefile'), Buffer.from(makefile + rule))
  return at('tests/test_table.c')
}

async function runAll() {
  const { document } = await open('src/table.c')
  const extension = vscode.extensions.getExtension('r1ls.r1ls')
  assert(extension, 'the extension is not there')
  const api = await extension.activate()
  const sameText = () =>
    until('the same text on the server', async () => {
      const client = api.client()
      if (!client?.isRunning()) return false
      const textDocument = { uri: document.uri.toString() }
      const found = await client.sendRequest('r1ls/documentText', { textDocument }).catch(() => undefined)
      return found?.text === document.getText()
    })

  await step('the model is ready and the folder trusted', async () => {
    const state = await until('model', () => api.status.last?.engine === 'ready' && api.status.last)
    assert.strictEqual(state.trusted, true)
    return state.model.name
  })
  await step('every command exists', async () => {
    const all = await vscode.commands.getCommands(true)
    const own = extension.packageJSON.contributes.commands.map(({ command }) => command)
    assert.deepStrictEqual(own.filter((name) => !all.includes(name)), [])
    return `${own.length} commands`
  })
  await step('diagnostics', async () => {
    const broken = await open('src/broken.c')
    const found = await until('diagnostics', () => {
      const all = vscode.languages.getDiagnostics(broken.document.uri).filter((one) => one.source === 'r1ls')
      return all.length > 0 && all
    })
    await open('src/table.c')
    return found.map((one) => one.message).join('; ')
  })
  await step('completion', async () => {
    const at = placeAfter(document, 'struct entry *e = table_fi')
    const list = await vscode.commands.executeCommand('vscode.executeCompletionItemProvider', document.uri, at)
    assert(list.items.some((item) => (item.label.label ?? item.label) === 'table_find'), 'table_find is not offered')
  })
  const before = document.getText()
  // A body that only compiles is not verified: its edit is taken from the action, shown and asked about.
  await step('code action confirmed and applied, undone in one step', async () => {
    const at = placeAfter(document, 'size_t table_longest_chain')
    const range = new vscode.Range(at, at)
    const actions = await vscode.commands.executeCommand('vscode.executeCodeActionProvider', document.uri, range, undefined, 5)
    const action = bodyAction(actions)
    assert(action, `no body among: ${actions.map((one) => one.title)}`)
    assert.strictEqual(action.edit, undefined, 'an edit that is not verified would be applied at once')
    assert.strictEqual(document.getText(), before)
    await until('the edit', async () => {
      await confirm()
      return document.getText() !== before
    })
    await sameText()
    await vscode.commands.executeCommand('undo')
    assert.strictEqual(document.getText(), before)
    await sameText()
    return action.title
  })
  await step('the next edit is shown, gone to and made', async () => {
    const editor = await open('src/table.c')
    const settings = vscode.workspace.getConfiguration('r1ls')
    await settings.update('nextEdit', true, vscode.ConfigurationTarget.Global)
    const textDocument = { uri: document.uri.toString(), version: document.version }
    await until('the setting on the server', () =>
      api.client().sendRequest('textDocument/inlineEdit', { textDocument, position: { line: 0, character: 0 } }))
    const name = placeAfter(document, 'static size_t hash_key')
    await editor.edit((edit) => edit.replace(new vscode.Range(name.translate(0, -'key'.length), name), 'name'))
    editor.selection = new vscode.Selection(name.translate(0, 1), name.translate(0, 1))
    const places = []
    for (const line of ['    struct entry *e = t->buckets[hash_name(key) % t->n_buckets];', '    size_t bucket = hash_name(key) % t->n_buckets;']) {
      const { range, text } = await until('the next edit', () => api.nextEdit.offered())
      assert.match(text, /name/)
      const asked = document.getText()
      await vscode.commands.executeCommand('r1ls.nextEdit')
      assert(editor.selection.active.isEqual(range.start), 'the cursor is not at the place')
      assert.strictEqual(document.getText(), asked, 'it was changed before it was seen')
      await vscode.commands.executeCommand('r1ls.nextEdit')
      assert.strictEqual(document.lineAt(range.start.line).text, line)
      assert.strictEqual(api.nextEdit.offered(), undefined)
      places.push(range.start.line + 1)
    }
    await sameText()
    const status = await api.client().sendRequest('r1ls/status', {})
    assert(status.inlineEdits.shown >= 2 && status.inlineEdits.accepted === 2, JSON.stringify(status.inlineEdits))
    for (let i = 0; i < 3; i++) await vscode.commands.executeCommand('undo')
    assert.strictEqual(document.getText(), before)
    await vscode.commands.executeCommand('r1ls.dismissNextEdit')
    await settings.update('nextEdit', undefined, vscode.ConfigurationTarget.Global)
    return `lines ${places.join(', ')}`
  })
  const testFile = await writeFailingTest()
  const lensOf = async (title) => {
    const found = await until(`the lens '${title}'`, async () => {
      const lenses = await vscode.commands.executeCommand('vscode.executeCodeLensProvider', testFile, 100)
      return lenses.find((lens) => lens.command?.title === title)
    })
    return () => vscode.commands.executeCommand(found.command.command, ...found.command.arguments)
  }
  await step('the lens of a test runs it', async () => {
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(testFile))
    await (await lensOf('Run tests'))()
    const failure = await until('the failure as a diagnostic', () =>
      vscode.languages.getDiagnostics(document.uri).find((one) => one.code === 'test'))
    assert.strictEqual(document.lineAt(failure.range.start.line).text, 'int table_init(struct table *t, size_t n_buckets)')
    return failure.message
  })
  await step('and debugs it', async () => {
    await answered(await lensOf('Debug'))
    await until('the repair', () => document.getText() !== before)
    const { activeTextEditor } = vscode.window
    assert.strictEqual(activeTextEditor?.document.uri.toString(), document.uri.toString(), 'the repaired file is not shown')
    const repaired = document.getText()
    await vscode.commands.executeCommand('undo')
    assert.strictEqual(document.getText(), before)
    return repaired.split('\n').find((line, i) => line !== before.split('\n')[i]).trim()
  })
  await step('an output from the clipboard is debugged', async () => {
    await vscode.env.clipboard.writeText('src/table.c:19:5: error: something else is wanted\n')
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(testFile))
    await answered(() => vscode.commands.executeCommand('r1ls.debugFromOutput'))
    await until('the place', () => vscode.window.activeTextEditor?.document.uri.toString() === document.uri.toString())
    if (document.getText() !== before) await vscode.commands.executeCommand('undo')
    assert.strictEqual(document.getText(), before)
  })
  await step('the record of a run is a page', async () => {
    await vscode.commands.executeCommand('r1ls.showAudit', 1)
    const page = vscode.window.activeTextEditor.document
    assert.match(page.getText(), /^# Run 1: body in src\/table\.c, .*### Candidate 1: /s)
    assert.strictEqual(page.languageId, 'markdown')
    return page.lineAt(0).text
  })
  await step('.r1ls.json is checked against its schema', async () => {
    const file = vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, '.r1ls.json')
    await vscode.workspace.fs.writeFile(file, Buffer.from('{ "settings": 5, "nonsense": 1 }\n'))
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(file))
    const found = await until('warnings', () => {
      const all = vscode.languages.getDiagnostics(file).filter((one) => one.source !== 'r1ls')
      return all.length > 0 && all
    })
    await vscode.workspace.fs.delete(file)
    return found.map((one) => one.message).join('; ')
  })
  await step('a crash loses no text', async () => {
    const old = api.client()._serverProcess ?? api.client().serverProcess
    assert(old?.pid, 'the process of the server is unknown')
    process.kill(old.pid, 'SIGKILL')
    const again = await open('src/table.c')
    await again.edit((edit) => edit.insert(new vscode.Position(0, 0), '// typed while the server was down\n'))
    await until('another server', () => {
      const now = api.client()?._serverProcess ?? api.client()?.serverProcess
      return now?.pid && now.pid !== old.pid
    })
    await sameText()
  })
  await step('restart', async () => {
    await vscode.commands.executeCommand('r1ls.restart')
    await sameText()
  })
}

exports.run = async () => {
  try {
    await runAll()
    say('done')
  } catch (error) {
    say(`FAILED: in the extension host: ${error.message}`)
  }
}
