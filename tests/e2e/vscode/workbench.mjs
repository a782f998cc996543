// Starts VS Code's server with its web workbench and a browser on it; what both VS Code tests share.
// Environment: TOOLS (folder of get_code_server.sh), OUT (where screenshots and logs stay).
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, createWriteStream, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const need = (name) => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}
export const TOOLS = need('TOOLS')
export const OUT = need('OUT')
const SERVER = join(TOOLS, 'server/node_modules')
const { chromium } = createRequire(join(SERVER, 'x.js'))('playwright-core')

// What a machine of two slow cores under load may need; a step that is fine is much faster.
export const PATIENCE_MS = 60_000

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// Repeats `probe` until it gives something true. The error tells what was waited for.
export async function until(what, probe, patienceMs = PATIENCE_MS) {
  const end = Date.now() + patienceMs
  let last
  while (Date.now() < end) {
    try {
      last = await probe()
      if (last) return last
    } catch (error) {
      last = error
    }
    await sleep(100)
  }
  throw new Error(`${what}: not within ${patienceMs / 1000} s (last: ${last})`)
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

// A fresh profile with the settings that make a run repeatable, and a copy of the project.
// Where bubblewrap cannot work, as in some containers, tests run without it.
function findSandbox() {
  return spawnSync('bwrap', ['--unshare-all', '--ro-bind', '/', '/', 'true']).status === 0 ? 'bwrap' : 'rlimits'
}

export function makeProfile(work, project, settings) {
  const user = join(work, 'data')
  cpSync(project, join(work, 'project'), { recursive: true })
  const all = {
    'telemetry.telemetryLevel': 'off',
    'update.mode': 'none',
    'extensions.autoUpdate': false,
    'extensions.autoCheckUpdates': false,
    'workbench.startupEditor': 'none',
    'workbench.tips.enabled': false,
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'chat.disableAIFeatures': true,
    'editor.minimap.enabled': false,
    'editor.autoClosingBrackets': 'never',
    'editor.formatOnType': false,
    'editor.fontSize': 13,
    'files.autoSave': 'off',
    'git.enabled': false,
    // The embedded model's gate would hide what the test wants to see.
    'r1ls.gate': 0,
    'r1ls.budgetMs': 30000,
    'r1ls.sandbox': findSandbox(),
    ...settings,
  }
  for (const folder of ['User', 'Machine', 'data/User', 'data/Machine']) {
    mkdirSync(join(user, folder), { recursive: true })
    writeFileSync(join(user, folder, 'settings.json'), JSON.stringify(all, null, 2))
  }
  return { user, project: join(work, 'project'), extensions: join(work, 'extensions') }
}

export async function startServer(script, args, log, env = {}) {
  const port = await freePort()
  const child = spawn(process.execPath, [script, ...args(port)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const file = createWriteStream(join(OUT, log))
  child.stdout.pipe(file)
  child.stderr.pipe(file)
  let ended
  child.on('exit', (code) => (ended = `it ended with code ${code}; see ${log}`))
  await until('the workbench answers', async () => {
    if (ended) throw new Error(ended)
    return (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => fetch(`http://127.0.0.1:${port}/version`))).status < 500
  })
  return {
    port,
    pid: child.pid,
    stop: async () => {
      if (ended) return
      // Its own group: extension hosts and language servers go with it.
      process.kill(-child.pid, 'SIGTERM')
      await until('the workbench ends', () => ended, 5000).catch(() => process.kill(-child.pid, 'SIGKILL'))
    },
  }
}

export const codeServer = join(SERVER, 'code-server/out/node/entry.js')
export const bareServer = join(SERVER, 'code-server/lib/vscode/out/server-main.js')

export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'],
  })
  // A context of its own, in which a second window can be opened beside the first.
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS / 2)
  return { browser, page }
}

// A model on an HTTP server of this machine; each answer stops half way until goOn() is called.
export async function serveModel(r1ls, work) {
  const script = join(dirname(fileURLToPath(import.meta.url)), '../model_server.py')
  const child = spawn('python3', [script, r1ls, work], { stdio: ['pipe', 'pipe', 'inherit'] })
  for await (const line of createInterface(child.stdout))
    return { ...JSON.parse(line), goOn: () => child.stdin.write('\n'), stop: () => child.stdin.end() }
  throw new Error('model_server.py said nothing')
}

// The processes of r1ls: the servers that windows share, and what each window has of its own.
export function r1lsProcesses(executables) {
  const found = { servers: [], windows: [] }
  for (const name of readdirSync('/proc')) {
    try {
      if (!/^\d+$/.test(name) || !readlinkSync(`/proc/${name}/exe`).startsWith(executables)) continue
      const shared = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes('--resident')
      found[shared ? 'servers' : 'windows'].push(Number(name))
    } catch {
      // It has ended, or is somebody else's.
    }
  }
  return found
}

// Ends a run after the step that STOP_AFTER names, for the clock of first_ghost.sh.
export class Stopped extends Error {}

// Steps in order; the first that fails ends the run. Each leaves a screenshot, the failed one too.
export function newRunner(page, prefix) {
  let n = 0
  return async function step(name, body) {
    const from = Date.now()
    const path = join(OUT, `${prefix}-${String(++n).padStart(2, '0')}-${name.replace(/\W+/g, '-')}.png`)
    try {
      const said = await body()
      console.log(`ok: ${name}${said ? `: ${said}` : ''} (${((Date.now() - from) / 1000).toFixed(1)} s)`)
      await page.screenshot({ path, animations: 'disabled' }) // no half-shown notification
    } catch (error) {
      await page.screenshot({ path }).catch(() => {})
      console.log(`FAILED: ${name}: ${error.message}\n  screen: ${path}`)
      throw error
    }
    if (name === process.env.STOP_AFTER) throw new Stopped()
  }
}
