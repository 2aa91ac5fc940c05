// One user's share of a process over real HTTP: what counts as running, and when a place is free again.
import { afterAll, afterEach, expect, it } from 'vitest'
import { describedRoutes } from '../openapi/openapi.ts'
import { Problem } from '../openapi/problems.ts'
import { type Serving, serve } from '../runtime/serve.ts'
import { answer, newUser, type TestUser, testDeps } from '../testing/context.ts'
import { createApp } from './app.ts'
import { owner, signedIn } from './authenticate.ts'

const world = testDeps({ USER_MAX_RUNNING: '1', USER_MAX_WAITING: '1' })
let serving: Serving | undefined
afterEach(() => serving?.drain({ lameDuck: 0 }))
afterAll(() => world.deps.db.close())

/** A server with a route that answers on demand, one whose body stays open, and one that answers at once. */
async function start() {
  const slow: PromiseWithResolvers<void>[] = []
  const app = createApp({ name: 'lanes' }, world.deps)
    .get('/slow', signedIn(world.deps), async (c) => {
      const release = Promise.withResolvers<void>()
      slow.push(release)
      await release.promise
      return c.json({})
    })
    .get('/stream', signedIn(world.deps), (c) =>
      c.body(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('begun')),
        }),
      ),
    )
    .get('/:user_id/quick', owner(world.deps), (c) => c.json({}))
  serving = await serve(app, { port: 0, host: '127.0.0.1', drain: 100 })
  const base = `http://127.0.0.1:${serving.port}`
  const ask = (path: string, { headers }: TestUser, init: RequestInit = {}) => fetch(base + path, { headers, ...init })
  /** Two requests of a user who has one that runs: one of them waits, the other is refused. */
  async function askTwice(user: TestUser, path = `/${user.id}/quick`) {
    const clients = [new AbortController(), new AbortController()]
    const asked = clients.map(({ signal }) => ask(path, user, { signal }))
    const [index, refused] = await Promise.race(asked.map(async (one, index) => [index, await one] as const))
    const other = 1 - index
    return { refused, waiting: asked[other] ?? Promise.reject(new Error('none waits')), hangUp: () => clients[other]?.abort() }
  }
  return { app, slow, ask, askTwice }
}

it('answers 429 with Retry-After and the reason in words when as many requests of a user run and wait as may', async () => {
  const { slow, ask, askTwice } = await start()
  const [ada, grace] = [await newUser(world), await newUser(world)]
  const first = ask('/slow', ada)
  await expect.poll(() => slow.length, { interval: 10 }).toBe(1)
  const { refused, waiting } = await askTwice(ada)
  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect((await answer(refused, Problem)).detail).toMatch(/^Too many of your requests run at once/)
  expect((await ask(`/${grace.id}/quick`, grace)).status).toBe(200)

  slow[0]?.resolve()
  expect((await first).status).toBe(200)
  expect((await waiting).status).toBe(200)
  expect((await ask(`/${ada.id}/quick`, ada)).status).toBe(200)
})

it('counts a body that streams until its client hangs up', async () => {
  const { ask, askTwice } = await start()
  const ada = await newUser(world)
  const client = new AbortController()
  expect((await ask('/stream', ada, { signal: client.signal })).status).toBe(200)
  const { refused, waiting } = await askTwice(ada)
  expect(refused.status).toBe(429)
  client.abort()
  expect((await waiting).status).toBe(200)
})

it('counts a request that still runs although its client has hung up', async () => {
  const { slow, ask, askTwice } = await start()
  const ada = await newUser(world)
  const client = new AbortController()
  const given = ask('/slow', ada, { signal: client.signal }).catch(() => {})
  await expect.poll(() => slow.length, { interval: 10 }).toBe(1)
  client.abort()
  await given
  const { refused, waiting } = await askTwice(ada)
  expect(refused.status).toBe(429)
  slow[0]?.resolve()
  expect((await waiting).status).toBe(200)
})

it('frees the waiting place of a request whose client hangs up, and does not run it', async () => {
  const { slow, ask, askTwice } = await start()
  const ada = await newUser(world)
  const first = ask('/slow', ada)
  await expect.poll(() => slow.length, { interval: 10 }).toBe(1)
  const { waiting, hangUp } = await askTwice(ada, '/slow')
  const left = expect(waiting).rejects.toThrow()
  hangUp()
  await left
  const lines = () => world.lines.filter(({ fields }) => fields.user_id === ada.id && fields.status === 429)
  await expect.poll(() => lines().length, { interval: 10 }).toBe(2)
  const next = await askTwice(ada)
  expect(next.refused.status).toBe(429)
  slow[0]?.resolve()
  expect((await next.waiting).status).toBe(200)
  expect((await first).status).toBe(200)
  expect(slow).toHaveLength(1)
})

it('describes 429 for every route that needs a token', async () => {
  const { app } = await start()
  const routes = describedRoutes(app).filter(({ note }) => note.bearer)
  expect(routes).toHaveLength(3)
  for (const { note } of routes) expect(note.errors).toContain('throttled')
})
