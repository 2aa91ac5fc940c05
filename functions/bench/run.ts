// `npm run bench`: builds the bundles and shows the figures side by side, ratios first. It never fails for being slow, but it does when
// something does not answer as it should. The table goes to standard output and dist/bench.md, the numbers to dist/bench.json.
//   --short              fewer and shorter samples, for CI
//   --only warm,scale    some parts only
import { parseArgs } from 'node:util'
import { coldStart } from './cold-start.ts'
import { mcpSockets } from './mcp.ts'
import { type Row, report } from './report.ts'
import { roundTrips } from './round-trips.ts'
import { scale } from './scale.ts'
import { warm } from './warm.ts'
import { makeWorld, type World } from './world.ts'

type Part = (world: World, options: { short: boolean }) => Promise<Row[]>

const parts: Record<string, Part> = {
  'cold-start': coldStart,
  warm,
  mcp: mcpSockets,
  'round-trips': roundTrips,
  scale,
}

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false }, only: { type: 'string' } } })
const named = values.only?.split(',') ?? Object.keys(parts)
const unknown = named.find((name) => !(name in parts))
if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(parts).join(', ')}`)

const world = await makeWorld()
try {
  const rows: Row[] = []
  for (const name of named) {
    const begun = performance.now()
    rows.push(...((await parts[name]?.(world, values)) ?? []))
    process.stderr.write(`${name}: ${((performance.now() - begun) / 1000).toFixed(0)} s\n`)
  }
  process.stdout.write(await report(rows, values))
} finally {
  await world.stop()
}
