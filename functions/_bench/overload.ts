// Five times the load that one process can take: what it still answers, how fast, and whether its health checks are answered.
// `node functions/_bench/overload.ts` runs this part alone, over the bundles that `npm run build` has made.
import { execFile } from 'node:child_process'
import http from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'
import { makeWorld, type World } from '../_build/world.ts'
import { load, type Sent } from './load.ts'
import type { OpenLoad, OpenOrder } from './open-load.ts'
import { bundle, withProcesses } from './processes.ts'
import { type Row, report } from './report.ts'
import { median, quantile } from './statistics.ts'

/** Enough that no user comes near the share that one user may have. */
const USERS = 32
/** Times the peak. */
const FACTOR = 5
const CONNECTIONS = 16
/** Milliseconds between two health checks. */
const PROBE = 100

export async function overload(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const [rounds, seconds] = short ? [2, 3] : [5, 10]
  const requests = await mix(world)
  return withProcesses([bundle('todos')], world.environment, async ([server]) => {
    if (!server) throw new Error('started none')
    const { url } = server
    const peaks: number[] = []
    const loads: (OpenLoad & { health: number })[] = []
    // The first round only warms up. Peak and overload take turns, so that a machine that gets slower slows down both.
    for (let round = -1; round < rounds; round++) {
      const { perSecond } = await load({ url, seconds, connections: CONNECTIONS, requests }, 200, 201)
      if (round < 0) continue
      peaks.push(perSecond)
      const health = watchHealth(`${url}/health/live`)
      const made = await openLoad({ url, seconds, perSecond: FACTOR * perSecond, requests })
      loads.push({ ...made, health: await health.stop() })
    }
    return [row(peaks, loads)]
  })
}

/** Three lists and one create, of many users in turn. */
async function mix(world: World): Promise<Sent[]> {
  const requests: Sent[] = []
  for (let index = 0; index < USERS; index++) {
    const user = await world.newUser()
    await world.addTodos(user, 20)
    const base = `/api/v1/${user.id}/todos`
    const headers = { authorization: user.authorization, 'content-type': 'application/json' }
    const list: Sent = { method: 'GET', path: `${base}?limit=20`, headers }
    requests.push(list, list, list, { method: 'POST', path: base, headers, body: '{"title":"Buy milk"}' })
  }
  return requests
}

async function openLoad(order: OpenOrder): Promise<OpenLoad> {
  const script = path.join(import.meta.dirname, 'open-load.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(order)], { maxBuffer: 2 ** 20 })
  return JSON.parse(stdout)
}

/** Asks every PROBE ms, from this process, which is idle otherwise. `stop` returns the longest time that an answer took. */
function watchHealth(url: string) {
  const asked: Promise<number>[] = []
  // On a new connection each time, as the platform's probes are.
  const ask = () => {
    const begun = performance.now()
    return new Promise<number>((resolve) => {
      const failed = () => resolve(Number.POSITIVE_INFINITY)
      http
        .get(url, { agent: false }, (response) => {
          response.resume().once('end', () => (response.statusCode === 200 ? resolve(performance.now() - begun) : failed()))
        })
        .once('error', failed)
    })
  }
  const timer = setInterval(() => asked.push(ask()), PROBE)
  return {
    async stop(): Promise<number> {
      clearInterval(timer)
      return Math.max(...(await Promise.all(asked)))
    },
  }
}

function row(peaks: number[], loads: (OpenLoad & { health: number })[]): Row {
  const of = (name: keyof (typeof loads)[number]) => loads.map((one) => Number(one[name]))
  const [peak, goodput, health] = [median(peaks), median(of('goodput')), Math.max(...of('health'))]
  const ratios = loads.map((one, index) => one.goodput / (peaks[index] ?? Number.NaN))
  const total = (status: string) => loads.reduce((sum, { statuses }) => sum + (statuses[status] ?? 0), 0)
  return {
    what: `todos at ${FACTOR} times its peak`,
    ratio: median(ratios),
    against: 'the peak',
    owed: '≥ 0.80 ×',
    figures:
      `${goodput.toFixed(0)} /s of ${peak.toFixed(0)} /s are answered (${quantile(ratios, 0).toFixed(2)} to ${quantile(ratios, 1).toFixed(2)} ×), ` +
      `p50 ${median(of('p50')).toFixed(0)}, p99 ${median(of('p99')).toFixed(0)}, at most ${Math.max(...of('max')).toFixed(0)} ms; ` +
      `${total('503')} refused, p99 ${median(of('refusedP99')).toFixed(0)} ms; ${of('unanswered').reduce((a, b) => a + b, 0)} without an answer; ` +
      `/health/live at most ${health.toFixed(0)} ms; requests left up to ${Math.max(...of('late')).toFixed(0)} ms late`,
    values: { peak_per_second: peak, goodput_per_second: goodput, p99_ms: median(of('p99')), health_max_ms: health },
  }
}

if (import.meta.main) {
  const short = process.argv.includes('--short')
  const world = await makeWorld()
  try {
    process.stdout.write(await report(await overload(world, { short }), { short }))
  } finally {
    await world.stop()
  }
}
