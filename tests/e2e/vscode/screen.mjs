// VS Code as its user sees it: the .vsix is installed, a C project opened, keys are typed, and what
// stands on the screen is read back. usage: node screen.mjs VSIX PROJECT
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeServer, makeProfile, newRunner, OUT, PATIENCE_MS, r1lsProcesses, serveModel, sleep, startBrowser, startServer, Stopped, until } from './workbench.mjs'

const [vsix, source] = process.argv.slice(2)
const work = mkdtempSync(join(tmpdir(), 'r1ls-screen-'))
const { user, project, extensions } = makeProfile(work, source, {
  // The folder is not trusted at first, and no dialog stands in the way.
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.banner': 'never',
})
const common = ['--user-data-dir', user, '--extensions-dir', extensions]
const env = { XDG_STATE_HOME: join(work, 'state'), XDG_CACHE_HOME: join(work, 'cache'), XDG_RUNTIME_DIR: join(work, 'run') }
mkdirSync(env.XDG_RUNTIME_DIR)
const assert = (truth, text) => {
  if (!truth) throw new Error(text)
}
const onDisk = (name) => readFileSync(join(project, name), 'utf8')

const started = Date.now()
execFileSync(process.execPath, [codeServer, ...common, '--install-extension', vsix], { stdio: 'pipe', env: { ...process.env, ...env } })
console.log(`ok: the .vsix is installed (${((Date.now() - started) / 1000).toFixed(1)} s)`)
// A window whose page ends without a word keeps its extension host for three hours otherwise.
const GRACE = ['--reconnection-grace-time', '10']
const server = await startServer(
  codeServer,
  (port) => ['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, ...common, '--disable-telemetry', '--disable-update-check', ...GRACE, project],
  'code-server.log',
  env,
)
const { browser, page } = await startBrowser()
const step = newRunner(page, 'screen')
const keys = page.keyboard
const press = async (...names) => {
  for (const name of names) await keys.press(name)
}

// Enter takes the row that has the focus, so that has to be the wanted one.
async function pick(text, row) {
  await page.locator('.quick-input-widget input').first().waitFor({ state: 'visible' })
  await keys.insertText(text)
  await page.locator('.quick-input-list .monaco-list-row.focused', { hasText: row }).first().waitFor()
  await press('Enter')
}

async function command(title) {
  await press('F1')
  await pick(title, title)
}

async function open(name) {
  const file = name.split('/').pop()
  await press('Control+p')
  await pick(name, file)
  await page.locator('.tab.active', { hasText: file }).waitFor()
  await page.locator('.monaco-editor .view-lines').first().waitFor()
}

async function goTo(line, column = 1) {
  await press('Control+g')
  await pick(`${line}:${column}`, new RegExp(`${line}\\b.*${column}\\b`))
  await page.locator('.quick-input-widget').waitFor({ state: 'hidden' })
}

const lineOf = (name, pattern) => onDisk(name).split('\n').findIndex((line) => line.includes(pattern)) + 1
// What a key press starts may end after the next one on a slow machine: saving is tried again until
// the editor has come to the wanted text.
const save = async (name, wanted) => {
  let text = ''
  return until(`${name} is saved as expected`, async () => {
    await press('Control+s')
    await until('the file', () => wanted((text = onDisk(name))), 1_500).catch(() => {})
    return wanted(text) && (text || ' ')
  }, 30_000)
}

const ghostText = (window = page) =>
  window.evaluate(() => {
    const spans = [...document.querySelectorAll('.view-lines [class*="ghost-text"], .ghost-text')]
    return [...new Set(spans)].map((span) => span.textContent.replaceAll('\u00a0', ' ')).join('')
  })

const serverPid = () => r1lsProcesses(extensions).servers[0] ?? 0

const BODY = /body/i
const SLOW_HEADER = '#if __INCLUDE_LEVEL__ < 24\n#include "slow.h"\n#include "slow.h"\n#endif\n'

async function chooseAction(pattern) {
  await press('Control+.')
  const list = page.locator('.action-widget:has(.monaco-list-row)').first()
  await list.waitFor()
  const row = list.locator('.monaco-list-row', { hasText: pattern })
  await row.first().waitFor()
  const titles = await list.locator('.monaco-list-row').allInnerTexts()
  return { row: row.first(), titles: titles.map((title) => title.trim()).filter(Boolean) }
}

const toast = (text) => page.locator('.notification-toast', { hasText: text }).first()
const statusItem = () => page.locator('.statusbar-item', { hasText: 'r1ls:' })
const isReady = async () => !/starting|failed/.test((await statusItem().innerText()) || 'starting')

// "r1ls: Fetch a Model" up to its second question answered.
async function fetchModel(url, sha256) {
  await command('r1ls: Fetch a Model')
  for (const [title, text] of [['1 of 2', url], ['2 of 2', sha256]]) {
    await page.locator('.quick-input-widget', { hasText: title }).locator('input').first().waitFor()
    await keys.insertText(text)
    await press('Enter')
  }
}

let model
let failed = false
try {
  await step('workbench', async () => {
    await page.goto(`http://127.0.0.1:${server.port}/?folder=${project}`)
    await page.locator('.monaco-workbench').waitFor()
    await page.locator('.explorer-folders-view .monaco-list-row').first().waitFor()
  })
  await step('status item tells the model', async () => {
    await open('src/table.c')
    await until('the model is ready', isReady)
    return (await statusItem().innerText()).trim()
  })
  await step('squiggle', async () => {
    await open('src/broken.c')
    await page.locator('.squiggly-error').first().waitFor()
    return `${await page.locator('.squiggly-error').count()} marked places`
  })
  await step('completion list', async () => {
    await open('src/table.c')
    await goTo(lineOf('src/table.c', 'table_find(t, key)'), 1)
    await press('End', 'Enter')
    await keys.type('table_fi', { delay: 30 })
    await press('Escape', 'Control+Space')
    const row = page.locator('.suggest-widget .monaco-list-row', { hasText: 'table_find' })
    await row.first().waitFor()
    return (await row.first().innerText()).trim()
  })
  await step('completion accepted', async () => {
    // Enter takes what has the focus; while the list is still being made it is a line break.
    await page.locator('.suggest-widget .monaco-list-row.focused', { hasText: 'table_find' }).first().waitFor()
    await press('Enter')
    await page.locator('.suggest-widget.visible').waitFor({ state: 'hidden' })
    // With its parameters as placeholders.
    const call = '\n    table_find(const struct table *t, const char *key)\n'
    await save('src/table.c', (text) => text.includes(call))
    await press('Control+Shift+k')
    await save('src/table.c', (text) => !text.includes(call))
  })
  let shown = ''
  await step('ghost text', async () => {
    await goTo(lineOf('src/table.c', 'struct entry *next = e->next;'), 1)
    await press('End', 'Control+Shift+ArrowLeft')
    await press('Home', 'Shift+End', 'Delete')
    await keys.type('struct entry *next =', { delay: 40 })
    await keys.type(' ')
    shown = await until('grey text', async () => (await ghostText()).trim() && ghostText())
    return JSON.stringify(shown)
  })
  await step('typed through', async () => {
    await keys.type(shown[0])
    await until('the rest stays', async () => (await ghostText()) === shown.slice(1))
    return JSON.stringify(shown.slice(1))
  })
  await step('accepted with Tab', async () => {
    await press('Tab')
    await until('no grey text of it is left', async () => (await ghostText()) !== shown.slice(1), 10_000)
    await press('Escape')
    await save('src/table.c', (text) => text.includes(`struct entry *next = ${shown}`))
    // The file goes on as it was: the next steps compile it.
    await press('Home', 'Shift+End')
    await keys.insertText('struct entry *next = e->next;')
    await press('Escape')
    await save('src/table.c', (text) => text.includes('struct entry *next = e->next;\n'))
  })
  await step('what the last suggestion was', async () => {
    await command('r1ls: Why Is Nothing Suggested?')
    await toast('r1ls: ').waitFor()
    const said = (await toast('r1ls: ').innerText()).replace(/\s+/g, ' ')
    await toast('r1ls: ').locator('.monaco-button', { hasText: 'Details' }).click()
    await page.locator('.tab.active', { hasText: 'suggestion.json' }).waitFor()
    await page.locator('.view-lines', { hasText: 'promptTokens' }).first().waitFor()
    await press('Control+w')
    await open('src/table.c')
    return said
  })
  await step('the log', async () => {
    await command('r1ls: Show Log')
    // Without its compiled logger, which is not fetched, this code-server shows the channel with no lines.
    const channel = () => page.evaluate(() => [...document.querySelectorAll('.panel select')].map((one) => one.selectedOptions[0]?.text))
    await until('the channel', async () => (await channel()).includes('r1ls'))
    await press('Control+j')
    await page.locator('.panel select').first().waitFor({ state: 'hidden' })
    await open('src/table.c')
  })
  await step('the walkthrough', async () => {
    await command('Welcome: Open Walkthrough')
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Get Started with r1ls' }).first().click()
    const steps = page.locator('.gettingStartedContainer .getting-started-step')
    await steps.filter({ hasText: 'Type, and take what is right' }).first().waitFor()
    const n = await steps.count()
    await press('Control+w')
    await open('src/table.c')
    return `${n} steps`
  })
  const before = onDisk('src/table.c')
  await step('code action list', async () => {
    await goTo(lineOf('src/table.c', 'size_t table_longest_chain('), 10)
    const { titles } = await chooseAction(BODY)
    return titles.join(' | ')
  })
  const isChanged = async () => (await page.locator('.tab.dirty', { hasText: 'table.c' }).count()) > 0
  const undoOnce = async () => {
    await press('Control+1', 'Control+z')
    await save('src/table.c', (text) => text === before)
  }
  await step('an unverified edit is shown as a diff first', async () => {
    await page.locator('.action-widget .monaco-list-row', { hasText: BODY }).first().click()
    await page.locator('.tab.active', { hasText: 'not verified' }).waitFor({ timeout: 120_000 })
    await page.locator('.notification-toast', { hasText: 'not verified' }).waitFor()
    await page.locator('.monaco-diff-editor .line-insert').first().waitFor()
    assert(onDisk('src/table.c') === before && !(await isChanged()), 'the text changed before it was confirmed')
    return (await page.locator('.notification-toast-container').first().innerText()).replace(/\s+/g, ' ')
  })
  await step('and applied when confirmed', async () => {
    await page.locator('.notification-toast .monaco-button', { hasText: 'Apply' }).click()
    await until('the edit', isChanged)
    await page.locator('.tab.active', { hasText: 'table.c' }).waitFor()
    await save('src/table.c', (text) => text !== before)
  })
  await step('undone in one step', undoOnce)
  await step('trust is passed to the server', async () => {
    await command('r1ls: Trust This Folder')
    await page.locator('.workspace-trust-editor .monaco-button', { hasText: /^Trust$/ }).first().click()
    await page.locator('.workspace-trust-editor', { hasText: 'trusted' }).first().waitFor()
    await press('Control+w')
    await open('src/table.c')
    await until('the server says so', async () => {
      await page.mouse.move(600, 400)
      await statusItem().hover()
      const hover = page.locator('.workbench-hover', { hasText: 'Folder trusted' })
      return hover.first().waitFor({ timeout: 1500 }).then(() => true, () => false)
    })
    await page.mouse.move(600, 400)
  })
  await step('a body that only compiles is shown as a diff as well', async () => {
    await goTo(lineOf('src/table.c', 'size_t table_longest_chain('), 10)
    const { row } = await chooseAction(BODY)
    await row.click()
    await page.locator('.tab.active', { hasText: 'not verified' }).waitFor({ timeout: 120_000 })
    const toast = page.locator('.notification-toast', { hasText: 'no tests ran' })
    await toast.locator('.monaco-button', { hasText: 'Apply' }).waitFor()
    const said = (await toast.first().innerText()).replace(/\s+/g, ' ')
    await toast.locator('.monaco-button', { hasText: 'Apply' }).click()
    await until('the edit', isChanged)
    await page.locator('.tab.active', { hasText: 'table.c' }).waitFor()
    await save('src/table.c', (text) => text !== before)
    return said
  })
  await step('undone in one step again', undoOnce)
  await step('a verified edit is applied at once', async () => {
    const line = lineOf('src/table.c', 't->n_entries = 0;')
    await goTo(line, 16) // n_entrie|s
    await press('Delete')
    await save('src/table.c', (text) => text.includes('t->n_entrie = 0;'))
    await page.locator('.squiggly-error').first().waitFor({ timeout: 60_000 })
    const { row } = await chooseAction(/^Fix: /)
    await row.click()
    await save('src/table.c', (text) => text === before)
    const evidence = page.locator('.statusbar-item', { hasText: 'generated (compiles' })
    const said = (await evidence.count()) ? (await evidence.first().innerText()).trim() : ''
    assert(said.includes('no tests ran'), 'the status bar does not show the evidence')
    return said
  })
  await step('lenses above functions', async () => {
    await goTo(lineOf('src/table.c', 'size_t table_longest_chain('), 10)
    const lens = page.locator('.codelens-decoration:visible', { hasText: 'Test this function' })
    await lens.first().waitFor()
    return `${await lens.count()} in view`
  })
  await step('a recorded run as a page', async () => {
    await command('r1ls: Show Recorded Runs')
    const row = page.locator('.quick-input-list .monaco-list-row', { hasText: 'body: found' })
    await row.first().waitFor()
    await press('Enter')
    await page.locator('.tab.active', { hasText: /run-\d+\.md/ }).waitFor()
    await page.locator('.view-lines', { hasText: '# Run' }).first().waitFor()
  })
  await step('prepare a long action', async () => {
    await press('Control+w') // the run's page
    await open('src/table.c')
    // A header that includes itself over and over keeps the compiler busy until it is stopped.
    writeFileSync(join(project, 'include/slow.h'), SLOW_HEADER)
    await goTo(1, 1)
    await keys.insertText('#include "slow.h"\n')
    await press('Escape')
    await save('src/table.c', (text) => text.startsWith('#include "slow.h"\n'))
  })
  await step('long action shows its progress', async () => {
    await goTo(lineOf('src/table.c', 'size_t table_longest_chain('), 10)
    const { row } = await chooseAction(BODY)
    await row.click()
    const toast = page.locator('.notification-toast', { hasText: 'r1ls' })
    await toast.locator('.monaco-button', { hasText: /cancel/i }).waitFor()
    return (await toast.first().innerText()).replace(/\s+/g, ' ')
  })
  await step('and can be cancelled', async () => {
    const text = onDisk('src/table.c')
    const cancel = page.locator('.notification-toast .monaco-button', { hasText: /cancel/i })
    await cancel.first().click()
    await until('the notification goes', async () => (await cancel.count()) === 0, 20_000)
    await sleep(1500)
    assert(!(await isChanged()) && onDisk('src/table.c') === text, 'the text changed although the action was cancelled')
    assert((await page.locator('.tab', { hasText: 'not verified' }).count()) === 0, 'an edit was offered although the action was cancelled')
  })
  await step('two windows share one server', async () => {
    const before = r1lsProcesses(extensions)
    assert(before.servers.length === 1 && before.windows.length === 1, `processes: ${JSON.stringify(before)}`)
    const second = await page.context().newPage()
    second.setDefaultTimeout(PATIENCE_MS / 2)
    const file = `vscode-remote://127.0.0.1:${server.port}${project}/src/broken.c`
    await second.goto(`${page.url()}&payload=${encodeURIComponent(JSON.stringify([['openFile', file]]))}`)
    const both = await until('a second window', () => {
      const now = r1lsProcesses(extensions)
      return now.windows.length === 2 && now
    })
    assert(both.servers.length === 1 && both.servers[0] === before.servers[0], `processes: ${JSON.stringify(both)}`)
    await second.locator('.squiggly-error').first().waitFor()
    await second.locator('.monaco-editor .view-line', { hasText: 'n += ' }).first().click()
    await second.keyboard.press('End')
    await second.keyboard.press('Enter')
    await second.keyboard.type('if (t->buckets[i] !=', { delay: 40 })
    await second.keyboard.type(' ')
    await until('grey text in it', async () => (await ghostText(second)).trim())
    await second.screenshot({ path: join(OUT, 'screen-second-window.png') })
    // As a person closes it: its page says good-bye and is not asked about the unsaved line.
    second.on('dialog', (dialog) => dialog.accept())
    await second.close({ runBeforeUnload: true })
    await until('the page closes', () => second.isClosed())
    await until('its end', () => r1lsProcesses(extensions).windows.length === 1)
    assert(r1lsProcesses(extensions).servers[0] === before.servers[0], 'the server went with the second window')
    return `windows ${both.windows.join(', ')}, server ${both.servers[0]}`
  })
  const folder = join(env.XDG_CACHE_HOME, 'r1ls/models')
  await step('a model with another checksum is refused', async () => {
    const extension = readdirSync(extensions).find((name) => name.startsWith('r1ls.r1ls'))
    model = await serveModel(join(extensions, extension, 'server/r1ls'), work)
    model.goOn()
    await fetchModel(model.url, '0'.repeat(64))
    const refused = toast('the model was not fetched')
    await refused.waitFor()
    const said = (await refused.innerText()).replace(/\s+/g, ' ')
    assert(/wanted 0000.*removed/.test(said), said)
    assert(readdirSync(folder).length === 0, `it left ${readdirSync(folder)}`)
    await command('Notifications: Clear All Notifications')
    await refused.waitFor({ state: 'hidden' })
    return said
  })
  await step('a model is fetched, with its progress', async () => {
    await fetchModel(model.url, model.sha256)
    const progress = toast(/fetching the model: 1\.1 of 2\.2 MB/)
    await progress.waitFor()
    const said = (await progress.innerText()).replace(/\s+/g, ' ')
    assert(readdirSync(folder).join() === 'tiny.gguf.part', `half way there is ${readdirSync(folder)}`)
    model.goOn()
    await toast('its checksum is right').waitFor()
    assert(readdirSync(folder).join() === 'tiny.gguf', `there is ${readdirSync(folder)}`)
    const sha256 = createHash('sha256').update(readFileSync(join(folder, 'tiny.gguf'))).digest('hex')
    assert(sha256 === model.sha256, `its checksum is ${sha256}`)
    return said
  })
  await step('it is used, and the embedded one again', async () => {
    await toast('its checksum is right').locator('.monaco-button', { hasText: 'Use It' }).click()
    await until('the fetched model', async () => /tiny/.test(await statusItem().innerText()))
    await command('r1ls: Choose Model')
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'embedded' }).first().click()
    await until('the embedded model', async () => /mini/.test(await statusItem().innerText()))
    return (await statusItem().innerText()).trim()
  })
  await step('a crash loses no text', async () => {
    await goTo(1, 1)
    await press('Shift+End', 'Delete')
    await keys.type('// typed before the crash', { delay: 10 })
    const old = serverPid()
    assert(old, 'the installed server does not run')
    process.kill(old, 'SIGKILL')
    await keys.type(' and after it', { delay: 10 })
    const fresh = await until('another server', () => serverPid() !== old && serverPid())
    await press('Escape')
    await save('src/table.c', (text) => text.startsWith('// typed before the crash and after it\n'))
    await open('src/broken.c')
    await page.locator('.squiggly-error').first().waitFor()
    return `process ${old}, then ${fresh}`
  })
} catch (error) {
  failed = !(error instanceof Stopped)
} finally {
  model?.stop()
  await browser.close().catch(() => {})
  await server.stop().catch(() => {})
  for (const pid of r1lsProcesses(extensions).servers) process.kill(pid, 'SIGKILL')
  rmSync(work, { recursive: true, force: true, maxRetries: 3 })
}
console.log(`${failed ? 'FAILED' : 'ok'}: VS Code on the screen, ${((Date.now() - started) / 1000).toFixed(0)} s`)
process.exit(failed ? 1 : 0)
