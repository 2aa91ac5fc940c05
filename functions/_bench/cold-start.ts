// How long a process takes from nothing to its first answer that has read the database, against a bare `node:http` process: as probes see
// it (ready), and as the caller does whose request woke it up.
import type { World } from '../_build/world.ts'
import { type Case, makeCases } from './cases.ts'
import { startProcess } from './processes.ts'
import type { Row } from './report.ts'
import { median, spread } from './statistics.ts'

type Samples = Record<'ready' | 'first', number[]>

/** Interleaves the cases, so that other load on the machine affects all of them alike. */
export async function coldStart(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const rounds = short ? 5 : 15
  const cases = await makeCases()
  const samples = new Map<Case, Samples>(cases.map((one) => [one, { ready: [], first: [] }]))
  const user = await world.newUser()
  await world.addTodos(user, 20)
  // The first round only warms the file cache.
  for (let round = -1; round < rounds; round++) {
    for (const [one, { ready, first }] of samples) {
      const probe = await timeToAnswer(world, one.script, { path: '/health/ready', init: {} })
      const call = await timeToAnswer(world, one.script, one.first(user))
      if (round < 0) continue
      ready.push(probe)
      first.push(call)
    }
  }
  const [reference] = samples.values()
  if (!reference) throw new Error('nothing to compare with')
  return [...samples].map(([one, mine]) => row(one, mine, reference))
}

/** The first call of the functions whose first call is neither a list of todos nor a profile. */
const CALLS: Record<string, string> = { auth: 'a login', chat: 'conversations', mcp: 'a tool call over HTTP', events: 'a tick' }

/** Milliseconds from the start of the process. @throws Error when the answer is no 200 */
async function timeToAnswer({ environment }: World, script: string, { path, init }: { path: string; init: RequestInit }): Promise<number> {
  const { kill, url, begun } = await startProcess(script, environment)
  try {
    const response = await fetch(url + path, init)
    const text = await response.text()
    const milliseconds = performance.now() - begun
    if (response.status !== 200) throw new Error(`${script}: ${path} answers ${response.status} ${text}`)
    return milliseconds
  } finally {
    await kill('SIGKILL')
  }
}

function row({ name, owed }: Case, mine: Samples, reference: Samples): Row {
  return {
    what: `cold start, ${name in CALLS ? `${name} (${CALLS[name]})` : name}`,
    ratio: median(mine.first) / median(reference.first),
    against: 'bare node:http',
    ...(owed ? { owed } : {}),
    figures: `first answer ${spread(mine.first, 'ms')}; ready ${spread(mine.ready, 'ms')}, ${(median(mine.ready) / median(reference.ready)).toFixed(2)} ×`,
    values: { first_ms: median(mine.first), ready_ms: median(mine.ready), ready_ratio: median(mine.ready) / median(reference.ready) },
  }
}
