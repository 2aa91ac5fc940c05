// Whether memory grows under steady load: what is left after a collection, sampled over minutes, and the slope of it.
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { World } from '../_build/world.ts'
import { load, type Sent } from './load.ts'
import { bundle, type Started, startProcess } from './processes.ts'
import type { Row } from './report.ts'

const PROBE = path.join(import.meta.dirname, 'heap-probe.mjs')
/** Seconds from one sample to the next. */
const STEP = 10

type Sample = { minute: number; rss: number; heap: number; external: number }

export async function soak(world: World, { minutes }: { minutes: number }): Promise<Row[]> {
  const user = await world.newUser()
  const ids = await world.addTodos(user, 32)
  const server = await startProcess(bundle('todos'), world.environment, ['--expose-gc', '--import', PROBE])
  try {
    const samples: Sample[] = []
    let requests = 0
    for (let step = 0; step * STEP < minutes * 60; step++) {
      const made = await load({ url: server.url, seconds: STEP, connections: 8, requests: mix(user, ids) }, 200, 201, 404, 422)
      requests += made.requests
      samples.push({ minute: ((step + 1) * STEP) / 60, ...(await sample(server)) })
    }
    return [row(samples, requests)]
  } finally {
    await server.kill('SIGKILL')
  }
}

/** A bit of everything, mistakes included. */
function mix({ id, authorization }: { id: string; authorization: string }, ids: readonly string[]): Sent[] {
  const base = `/api/v1/${id}/todos`
  const headers = { authorization, 'content-type': 'application/json' }
  return ids.flatMap((one, index): Sent[] => [
    { method: 'GET', path: `${base}?limit=20`, headers },
    { method: 'GET', path: `${base}/${one}`, headers },
    { method: 'GET', path: `${base}?q=todo%20${index}&sort=title&limit=5`, headers },
    { method: 'PATCH', path: `${base}/${one}/complete`, headers },
    { method: 'POST', path: base, headers, body: JSON.stringify({ title: `Buy milk ${index}`, tags: ['soak'], due_date: '2027-01-15' }) },
    { method: 'GET', path: `${base}/${id}`, headers },
    { method: 'POST', path: base, headers, body: '{"title":""}' },
  ])
}

/** Asks the probe in the process, which collects garbage first. @throws Error when the process has ended */
async function sample(server: Started): Promise<Omit<Sample, 'minute'>> {
  const before = server.errors().length
  let ended = false
  void server.kill('SIGUSR2').then(() => {
    ended = true
  })
  for (;;) {
    if (ended) throw new Error(`the server has ended: ${server.errors()}`)
    const [, line] = /^(\{"rss".*\})\n/m.exec(server.errors().slice(before)) ?? []
    if (line !== undefined) {
      const { rss, heapUsed, external } = JSON.parse(line)
      return { rss: rss / 2 ** 20, heap: heapUsed / 2 ** 20, external: external / 2 ** 20 }
    }
    await sleep(20)
  }
}

function row(samples: readonly Sample[], requests: number): Row {
  // The first third warms up.
  const steady = samples.slice(Math.floor(samples.length / 3))
  const [first, last] = [steady[0], steady.at(-1)]
  const slopes = { heap: slope(steady, 'heap'), rss: slope(steady, 'rss') }
  return {
    what: `soak of todos, ${last?.minute.toFixed(0)} minutes of steady load`,
    figures:
      `${requests.toLocaleString('en')} requests; heap after a collection ${first?.heap.toFixed(1)} to ${last?.heap.toFixed(1)} MB, ` +
      `${slopes.heap.toFixed(2)} MB a minute; resident ${first?.rss.toFixed(0)} to ${last?.rss.toFixed(0)} MB, ${slopes.rss.toFixed(2)} MB a minute`,
    values: { requests, heap_mb_a_minute: slopes.heap, rss_mb_a_minute: slopes.rss },
  }
}

/** Of the straight line that lies closest (least squares). */
function slope(samples: readonly Sample[], of: 'heap' | 'rss'): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(samples.map(({ minute }) => minute)), mean(samples.map((one) => one[of]))]
  const covariance = mean(samples.map((one) => (one.minute - x) * (one[of] - y)))
  return covariance / mean(samples.map(({ minute }) => (minute - x) ** 2))
}
