// `npm run bench`: builds the bundles and shows the figures side by side, ratios first. It never fails for being slow, but it does when
// something does not answer as it should. The table goes to standard output and dist/bench.md, the numbers to dist/bench.json.
//   --short              fewer and shorter samples, for CI
//   --only warm,scale    some parts only
//   --only soak --minutes 5   steady load, and whether memory grows under it
import { parseArgs } from 'node:util'
import { makeWorld, type World } from '../_build/world.ts'
import { coldStart } from './cold-start.ts'
import { conversation } from './conversation.ts'
import { fleet } from './fleet.ts'
import { fromZero } from './from-zero.ts'
import { mcpSockets } from './mcp.ts'
import { memory } from './memory.ts'
import { outbox } from './outbox.ts'
import { overload } from './overload.ts'
import { type Row, report } from './report.ts'
import { roundTrips } from './round-trips.ts'
import { scale } from './scale.ts'
import { soak } from './soak.ts'
import { warm } from './warm.ts'

type Options = { short: boolean; minutes: number }
type Part = (world: World, options: Options) => Promise<Row[]>

const parts: Record<string, Part> = {
  'cold-start': coldStart,
  'from-zero': fromZero,
  warm,
  memory,
  mcp: mcpSockets,
  conversation,
  outbox,
  fleet,
  overload,
  'round-trips': roundTrips,
  // Last, because it leaves a database behind that is busy with itself.
  scale,
}
/** Only when it is asked for. */
const longParts: Record<string, Part> = { soak }

const { values } = parseArgs({
  options: { short: { type: 'boolean', default: false }, only: { type: 'string' }, minutes: { type: 'string', default: '5' } },
})
const options: Options = { short: values.short, minutes: Number(values.minutes) }
const all = { ...parts, ...longParts }
const named = values.only?.split(',') ?? Object.keys(parts)
const unknown = named.find((name) => !(name in all))
if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(all).join(', ')}`)

const world = await makeWorld()
try {
  const rows: Row[] = []
  for (const name of named) {
    const begun = performance.now()
    rows.push(...((await all[name]?.(world, options)) ?? []))
    process.stderr.write(`${name}: ${((performance.now() - begun) / 1000).toFixed(0)} s\n`)
  }
  process.stdout.write(await report(rows, options))
} finally {
  await world.stop()
}
