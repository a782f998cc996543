// The extension inside VS Code's real extension host, with the `vscode` API: host_tests.cjs runs there
// and writes one line a step. usage: node host.mjs EXTENSION_FOLDER PROJECT
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bareServer, makeProfile, OUT, r1lsProcesses, startBrowser, startServer, until } from './workbench.mjs'

const [extension, source] = process.argv.slice(2)
const work = mkdtempSync(join(tmpdir(), 'r1ls-host-'))
const { user, project, extensions } = makeProfile(work, source, { 'security.workspace.trust.enabled': false })
const report = join(work, 'report.txt')
mkdirSync(join(work, 'run'))
const server = await startServer(
  bareServer,
  (port) => ['--host', '127.0.0.1', '--port', String(port), '--without-connection-token', '--accept-server-license-terms', '--server-data-dir', user, '--extensions-dir', extensions, '--telemetry-level', 'off', '--enable-smoke-test-driver'],
  'host-server.log',
  { R1LS_REPORT: report, XDG_STATE_HOME: join(work, 'state'), XDG_CACHE_HOME: join(work, 'cache'), XDG_RUNTIME_DIR: join(work, 'run') },
)
const { browser, page } = await startBrowser()
let text = ''
try {
  const remote = (path) => `vscode-remote://127.0.0.1:${server.port}${path}`
  const tests = join(dirname(fileURLToPath(import.meta.url)), 'host_tests.cjs')
  const payload = JSON.stringify([
    ['extensionDevelopmentPath', remote(extension)],
    ['extensionTestsPath', remote(tests)],
  ])
  await page.goto(`http://127.0.0.1:${server.port}/?folder=${project}&payload=${encodeURIComponent(payload)}`)
  await until('the tests in the extension host end', () => {
    text = existsSync(report) ? readFileSync(report, 'utf8') : ''
    return /^(done|FAILED)/m.test(text)
  }, 300_000)
} catch (error) {
  text += `FAILED: ${error.message}\n`
  await page.screenshot({ path: join(OUT, 'host-failed.png') }).catch(() => {})
} finally {
  await browser.close().catch(() => {})
  await server.stop().catch(() => {})
  for (const pid of r1lsProcesses(extension).servers) process.kill(pid, 'SIGKILL')
  rmSync(work, { recursive: true, force: true, maxRetries: 3 })
}
process.stdout.write(text)
process.exit(/^done/m.test(text) && !/^FAILED/m.test(text) ? 0 : 1)
