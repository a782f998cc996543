// The record of a run as a page to be read: r1ls/audit gives it as data (docs/audit.md).
import { window } from 'vscode'
import type { LanguageClient } from 'vscode-languageclient/node'
import type { Pages } from './pages'
import { runProgram } from './program'

type Row = { record: number; time: number; task: string; file: string; outcome: string; summary: string; error?: string }
type Stage = { verdict: string; note: string; ms: number; command?: string }
type Candidate = {
  proposer: string
  round: number
  insert: string
  tokens: number
  confidence: number
  verdict: string
  parse: Stage
  compile: Stage
  tests: Stage
  sanitizers?: Stage
  proof?: Stage
}
type Run = {
  version: string
  outcome: string
  summary: string
  chosen: number
  level: string
  verified: boolean
  baseline: string
  explanation: string
  promptTokens: number
  generatedTokens: number
  ms: number
  task: string
  document: { path: string; root: string; sha256: string; language: string }
  message: string
  instruction: string
  testCommand: string
  trusted: boolean
  sandbox: string
  seed: number
  model: { name: string; quantisation: string; sha256: string; isa: string; threads: number }
  candidates: Candidate[]
}
type AuditRecord = { record: number; hash: string; time: number; run: Run }

// What a text holds must not end its fence.
function fence(text: string, language = ''): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length))
  const ticks = '`'.repeat(longest + 1)
  return `${ticks}${language}\n${text.replace(/\n$/, '')}\n${ticks}`
}

const when = (seconds: number) => new Date(seconds * 1000).toLocaleString()
// Bytes that are no UTF-8 are recorded as {"hex": ...}.
const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

function stageLine(name: string, stage: Stage | undefined): string {
  if (!stage || (!stage.note && stage.verdict !== 'pass' && stage.verdict !== 'fail')) return ''
  const [first = '', ...rest] = textOf(stage.note).split('\n')
  const command = stage.command ? `, by \`${stage.command}\`` : ''
  const more = rest.length ? `\n\n${fence(rest.join('\n'))}\n` : ''
  return `- ${name}: **${stage.verdict}** ${first}${command} (${stage.ms.toFixed(0)} ms)${more}`
}

function candidateText(candidate: Candidate, i: number, run: Run): string {
  const chosen = run.outcome === 'found' && i === run.chosen ? ', the chosen one' : ''
  const written = candidate.tokens > 0 ? `, ${candidate.tokens} tokens, confidence ${candidate.confidence.toFixed(2)}` : ''
  return [
    `### Candidate ${i + 1}: ${candidate.verdict}${chosen}`,
    `Proposer: ${candidate.proposer}, round ${candidate.round}${written}.`,
    fence(textOf(candidate.insert), run.document.language),
    [
      stageLine('parse', candidate.parse),
      stageLine('compile', candidate.compile),
      stageLine('tests', candidate.tests),
      stageLine('sanitizers', candidate.sanitizers),
      stageLine('proof', candidate.proof),
    ].filter(Boolean).join('\n'),
  ].join('\n\n')
}

// Markdown, for people; `r1ls audit show N --json` is all of it.
export function auditPage({ record, hash, time, run }: AuditRecord): string {
  const { model, document } = run
  const facts = [
    `- Outcome: ${run.outcome}${run.outcome === 'found' ? `, ${run.verified ? 'verified' : 'not verified'} (${run.level})` : ''}`,
    `- File: ${document.path} in ${document.root}, SHA-256 ${document.sha256}`,
    `- Model: ${model.name}, ${model.quantisation}, ${model.isa}, ${model.threads} threads, SHA-256 ${model.sha256}`,
    `- ${run.promptTokens} prompt tokens, ${run.generatedTokens} written, ${(run.ms / 1000).toFixed(1)} s, seed ${run.seed}`,
    `- ${run.trusted ? `Trusted folder, sandbox ${run.sandbox}` : 'The folder was not trusted: nothing was executed'}`,
    run.testCommand ? `- Tests: \`${run.testCommand}\`` : '',
    `- Record ${record}, hash ${hash}, r1ls ${run.version}`,
  ].filter(Boolean)
  const texts: [string, string][] = [
    ['Instruction', textOf(run.instruction)],
    ['What failed', textOf(run.message || run.baseline)],
    ['Explanation', textOf(run.explanation)],
  ]
  return [
    `# Run ${record}: ${run.task} in ${document.path}, ${when(time)}`,
    textOf(run.summary),
    facts.join('\n'),
    ...texts.filter(([, text]) => text).map(([title, text]) => `## ${title}\n\n${fence(text)}`),
    `## Candidates${run.candidates.length ? '' : '\n\nNone.'}`,
    ...run.candidates.map((candidate, i) => candidateText(candidate, i, run)),
    '---',
    `\`r1ls audit replay ${record}\` writes and judges it again; \`r1ls audit verify\` checks the chain.\n`,
  ].join('\n\n')
}

async function chooseRecord(program: string): Promise<number | undefined> {
  const list = await runProgram(program, ['audit', 'list', '--json'])
  const rows = list.code === 0 ? (JSON.parse(list.stdout) as Row[]).filter((row) => !row.error).reverse() : []
  if (rows.length === 0) {
    void window.showInformationMessage(`r1ls: ${list.stderr.trim() || 'no run has been recorded yet.'}`)
    return undefined
  }
  const items = rows.map((row) => ({
    label: `${row.task}: ${row.outcome}`,
    description: `${row.file}, ${when(row.time)}`,
    detail: row.summary,
    record: row.record,
  }))
  const options = { title: 'r1ls: recorded runs, the newest first', matchOnDescription: true, matchOnDetail: true }
  return (await window.showQuickPick(items, options))?.record
}

// Without a number the user chooses.
export async function showAudit(client: LanguageClient | undefined, pages: Pages, program: string, number?: number): Promise<void> {
  if (!client?.isRunning()) {
    void window.showInformationMessage('r1ls: the server does not run.')
    return
  }
  const record = number ?? (await chooseRecord(program))
  if (record === undefined) return
  try {
    const found = await client.sendRequest<AuditRecord>('r1ls/audit', { record })
    await pages.show(`run-${record}.md`, auditPage(found))
  } catch (error) {
    void window.showErrorMessage(`r1ls: record ${record}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
