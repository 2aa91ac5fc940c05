// Requests a second of a process that is warm, against a twin on `node:http` and `pg` in the same run, one after the other, over and over.
import { processorTime } from '../../shared/testing/process-usage.ts'
import { PASSWORD, type World } from '../_build/world.ts'
import { type Load, load, type Sent } from './load.ts'
import { bare, bundle, type Started, withProcesses } from './processes.ts'
import type { Row } from './report.ts'
import { median, spread } from './statistics.ts'
import { assertSame, buildTwin } from './twins.ts'

const CONNECTIONS = 16

type Case = { what: string; requests: Sent[]; status: number; exact?: boolean; owed?: string }
type Measured = Load & { cpu: number }

export async function warm(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const rounds = short ? 2 : 7
  const seconds = short ? 0.7 : 4
  const rows: Row[] = []
  const cases = await makeCases(world)
  await withProcesses([bundle('todos'), await buildTwin()], world.environment, async ([ours, theirs]) => {
    if (!ours || !theirs) throw new Error('started none')
    for (const one of cases) rows.push(await compare(one, ours, theirs, { rounds, seconds }))
  })
  return [...rows, await login(world, seconds), await ceiling(seconds)]
}

async function makeCases(world: World): Promise<Case[]> {
  const [reader, writer] = [await world.newUser(), await world.newUser()]
  const ids = await world.addTodos(reader, 20)
  const own = await world.addTodos(writer, 64)
  const base = `/api/v1/${reader.id}/todos`
  const get = (path: string): Sent => ({ method: 'GET', path, headers: { authorization: reader.authorization } })
  const write = { authorization: writer.authorization, 'content-type': 'application/json' }
  const users = await Promise.all(Array.from({ length: CONNECTIONS }, world.newUser))
  const todo = { title: 'Buy milk', priority: 'high', tags: ['shopping'], due_date: '2027-01-15' }
  return [
    { what: 'list of 20', requests: [get(base)], status: 200, exact: true, owed: '≥ 0.60 ×' },
    { what: 'get one', requests: ids.map((id) => get(`${base}/${id}`)), status: 200, exact: true },
    {
      what: 'create',
      // Of many users: one user's creates follow one another, because each changes that user's counter.
      requests: users.map(({ id, authorization }) => ({
        method: 'POST',
        path: `/api/v1/${id}/todos`,
        headers: { ...write, authorization },
        body: JSON.stringify(todo),
      })),
      status: 201,
      owed: '≥ 0.60 ×',
    },
    {
      what: 'toggle',

      requests: own.map((id) => ({ method: 'PATCH', path: `/api/v1/${writer.id}/todos/${id}/complete`, headers: write })),
      status: 200,
    },
  ]
}

async function compare(one: Case, ours: Started, theirs: Started, { rounds, seconds }: { rounds: number; seconds: number }): Promise<Row> {
  const { what, requests, status, exact } = one
  const [first] = requests
  if (!first) throw new Error(`${what} sends nothing`)
  await assertSame(ours.url, theirs.url, first, { exact: exact ?? false })
  const measured = new Map<Started, Measured[]>([
    [ours, []],
    [theirs, []],
  ])
  // The first round only warms up. The order turns around each time, so that a machine that gets slower slows down both.
  for (let round = -1; round < rounds; round++) {
    for (const process of round % 2 === 0 ? [ours, theirs] : [theirs, ours]) {
      const before = await processorTime(process.pid)
      const result = await load(
        { url: process.url, seconds: round < 0 ? Math.min(2, seconds) : seconds, connections: CONNECTIONS, requests },
        status,
      )
      const cpu = ((await processorTime(process.pid)) - before) / result.requests
      if (round >= 0) measured.get(process)?.push({ ...result, cpu })
    }
  }
  return row(one, measured.get(ours) ?? [], measured.get(theirs) ?? [])
}

function row({ what, owed }: Case, ours: Measured[], theirs: Measured[]): Row {
  const of = (name: 'perSecond' | 'p50' | 'p99' | 'cpu', from: Measured[]) => from.map((one) => one[name])
  const [perSecond, twin] = [of('perSecond', ours), of('perSecond', theirs)]
  const [cpu, twinCpu] = [median(of('cpu', ours)), median(of('cpu', theirs))]
  const latency = (from: Measured[]) => `p50 ${median(of('p50', from)).toFixed(1)}, p99 ${median(of('p99', from)).toFixed(1)} ms`
  return {
    what: `warm, ${what}`,
    ratio: median(perSecond) / median(twin),
    against: 'the twin',
    ...(owed ? { owed } : {}),
    figures:
      `${spread(perSecond, '/s')}, ${latency(ours)}, ${cpu.toFixed(2)} ms of processor each (${(twinCpu / cpu).toFixed(2)} ×); ` +
      `twin ${spread(twin, '/s')}, ${latency(theirs)}, ${twinCpu.toFixed(2)} ms`,
    values: {
      per_second: median(perSecond),
      twin_per_second: median(twin),
      p50_ms: median(of('p50', ours)),
      p99_ms: median(of('p99', ours)),
      twin_p50_ms: median(of('p50', theirs)),
      twin_p99_ms: median(of('p99', theirs)),
      cpu_ms: cpu,
      twin_cpu_ms: twinCpu,
    },
  }
}

/** Logins have no twin: argon2id takes nearly all of their time. */
async function login(world: World, seconds: number): Promise<Row> {
  // A user a connection: the throttle admits at most ten tries at once for one account.
  const users = await Promise.all(Array.from({ length: CONNECTIONS }, world.newUser))
  const requests = users.map(({ email }) => ({
    method: 'POST' as const,
    path: '/api/v1/users/login',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password: PASSWORD }),
  }))
  return withProcesses([bundle('auth')], world.environment, async ([auth]) => {
    if (!auth) throw new Error('started none')
    const { perSecond, p50, p99 } = await load({ url: auth.url, seconds, connections: CONNECTIONS, requests }, 200)
    return {
      what: 'warm, login',
      figures: `${perSecond.toFixed(0)} /s, p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} ms`,
      values: { per_second: perSecond, p50_ms: p50, p99_ms: p99 },
    }
  })
}

/** What the load itself can do: as long as this is far above the rest, autocannon is not what is measured. */
function ceiling(seconds: number): Promise<Row> {
  return withProcesses([bare], {}, async ([server]) => {
    if (!server) throw new Error('started none')
    const requests: Sent[] = [{ method: 'GET', path: '/', headers: {} }]
    const { perSecond, busy } = await load({ url: server.url, seconds, connections: CONNECTIONS, requests }, 200)
    return {
      what: 'warm, bare node:http under the same load',
      figures: `${perSecond.toFixed(0)} /s, for which autocannon took ${(busy * 100).toFixed(0)} % of a processor`,
      values: { per_second: perSecond },
    }
  })
}
