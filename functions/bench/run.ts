// `npm run bench`: builds the bundles and shows the figures side by side, ratios first. It never fails for being slow.
// `--short` takes fewer samples. The table goes to standard output and, with the machine it came from, to dist/bench.json.
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { coldStart } from './cold-start.ts'
import { mcpSockets } from './mcp.ts'
import { makeWorld } from './world.ts'

const short = process.argv.includes('--short')
const world = await makeWorld()
try {
  const rows = [...(await coldStart(world, short ? 5 : 15)), ...(await mcpSockets(world, short ? 5 : 20))]
  const machine = `${os.cpus().length} cores (${os.cpus()[0]?.model.trim()}), Node ${process.versions.node}, load ${os.loadavg()[0]?.toFixed(1)}`
  const lines = rows.map(({ what, ratio, figures }) => `| ${what} | ${Number.isNaN(ratio) ? '' : `${ratio.toFixed(2)} ×`} | ${figures} |`)
  process.stdout.write(`${machine}\n\n| What | Ratio | Figures |\n| --- | ---: | --- |\n${lines.join('\n')}\n`)
  const file = path.join(import.meta.dirname, '..', '..', 'dist', 'bench.json')
  await fs.writeFile(file, JSON.stringify({ at: new Date().toISOString(), machine, rows }, null, 2))
} finally {
  await world.stop()
}
