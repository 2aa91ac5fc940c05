// How long a process takes from nothing to its first answer that has read the database, against a bare `node:http` process: as probes see
// it (ready), and as the caller does whose request woke it up.
import { bare, bundle, end, startProcess } from './processes.ts'
import type { Row } from './report.ts'
import { median, spread } from './statistics.ts'
import { buildTwin } from './twins.ts'
import { PASSWORD, type User, type World } from './world.ts'

type Case = { name: string; script: string; first: (user: User) => { path: string; init: RequestInit }; owed?: string }
type Samples = Record<'ready' | 'first', number[]>

/** Interleaved, so that whatever else the machine does meets all of them alike. */
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

async function makeCases(): Promise<Case[]> {
  const signed = ({ authorization }: User): RequestInit => ({ headers: { authorization } })
  const list: Case['first'] = (user) => ({ path: `/api/v1/${user.id}/todos?limit=20`, init: signed(user) })
  const mcpHeaders = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  const tool = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_tasks', arguments: {} } })
  return [
    { name: 'bare node:http', script: bare, first: list },
    { name: 'node:http + pg twin of todos', script: await buildTwin('todos'), first: list },
    { name: 'todos', script: bundle('todos'), first: list, owed: '≤ 2.00 ×' },
    { name: 'users', script: bundle('users'), first: (user) => ({ path: '/api/v1/me', init: signed(user) }) },
    {
      name: 'auth (a login)',
      script: bundle('auth'),
      first: ({ email }) => ({
        path: '/api/v1/users/login',
        init: { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password: PASSWORD }) },
      }),
    },
    { name: 'chat (conversations)', script: bundle('chat'), first: (user) => ({ path: '/api/v1/conversations', init: signed(user) }) },
    {
      name: 'mcp (a tool call over HTTP)',
      script: bundle('mcp'),
      first: ({ authorization }) => ({
        path: '/api/v1/mcp',
        init: { method: 'POST', headers: { ...mcpHeaders, authorization }, body: tool },
      }),
    },
  ]
}

/** Milliseconds from the start of the process. @throws Error when the answer is no 200 */
async function timeToAnswer({ environment }: World, script: string, { path, init }: ReturnType<Case['first']>): Promise<number> {
  const { child, url, begun } = await startProcess(script, environment)
  try {
    const response = await fetch(url + path, init)
    const text = await response.text()
    const milliseconds = performance.now() - begun
    if (response.status !== 200) throw new Error(`${script}: ${path} answers ${response.status} ${text}`)
    return milliseconds
  } finally {
    await end(child, 'SIGKILL')
  }
}

function row({ name, owed }: Case, mine: Samples, reference: Samples): Row {
  return {
    what: `cold start, ${name}`,
    ratio: median(mine.first) / median(reference.first),
    against: 'bare node:http',
    ...(owed ? { owed } : {}),
    figures: `first answer ${spread(mine.first, 'ms')}; ready ${spread(mine.ready, 'ms')}, ${(median(mine.ready) / median(reference.ready)).toFixed(2)} ×`,
    values: { first_ms: median(mine.first), ready_ms: median(mine.ready), ready_ratio: median(mine.ready) / median(reference.ready) },
  }
}
