// What the bench has to say: rows with a ratio, as a table for people and as JSON for programs.
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { dist } from './processes.ts'

export type Row = {
  what: string
  /** Against `against`, within the same run. */
  ratio?: number
  against?: string
  /** The target of the ratio, if it has one. */
  owed?: string
  figures: string
  /** The same as numbers, by name and unit. */
  values?: Record<string, number>
}

/** Writes dist/bench.json and dist/bench.md, and answers the latter. */
export async function report(rows: readonly Row[], { short }: { short: boolean }): Promise<string> {
  const at = new Date().toISOString()
  const cpus = os.cpus()
  const load = os.loadavg()[0]?.toFixed(1)
  const machine = `${cpus.length} cores (${cpus[0]?.model.trim()}), ${Math.round(os.totalmem() / 2 ** 30)} GB, Node ${process.versions.node}, load ${load}`
  const title = `\`npm run bench${short ? ' -- --short' : ''}\` on ${at.slice(0, 10)}, ${machine}.`
  const table = `${title}\n\n${asTable(rows)}\n`
  await fs.mkdir(dist, { recursive: true })
  await fs.writeFile(path.join(dist, 'bench.json'), JSON.stringify({ at, machine, short, rows }, null, 2))
  await fs.writeFile(path.join(dist, 'bench.md'), table)
  return table
}

/** Rows with a target first. */
function asTable(rows: readonly Row[]): string {
  const ordered = [...rows.filter(({ owed }) => owed), ...rows.filter(({ owed }) => !owed)]
  const lines = ordered.map(({ ratio, against, owed, what, figures }) => {
    const compared = ratio === undefined || Number.isNaN(ratio) ? '' : `${ratio.toFixed(2)} ×${against ? ` ${against}` : ''}`
    return `| ${what} | ${compared} | ${owed ?? ''} | ${figures} |`
  })
  return ['| What | Ratio | Owed | Figures |', '| --- | --- | --- | --- |', ...lines].join('\n')
}
