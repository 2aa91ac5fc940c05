// Overload over real HTTP: what a refusal looks like, and what never takes a place from others.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, expect, it } from 'vitest'
import { z } from 'zod'
import type { Log } from '../core/log.ts'
import { type Admission, createAdmission } from '../http/admission.ts'
import { createApp } from '../http/app.ts'
import { signedIn } from '../http/authenticate.ts'
import { body } from '../http/validate.ts'
import { Problem } from '../openapi/problems.ts'
import { answer, newUser, testDeps } from '../testing/context.ts'
import { type Serving, serve } from './serve.ts'

const ORIGIN = 'https://app.example.com'
const world = testDeps({ USER_MAX_RUNNING: '1' })
const { deps } = world
let serving: Serving | undefined
afterEach(() => serving?.drain({ lameDuck: 0 }))
afterAll(() => deps.db.close())

const FULL: Admission = { isFull: () => true, enter: () => Promise.resolve(false), leave() {} }

/** A server with a route that answers on demand, and two that answer at once. */
async function start(admission: Admission, log: Log = deps.log) {
  const slow: PromiseWithResolvers<void>[] = []
  const wait = async () => {
    const release = Promise.withResolvers<void>()
    slow.push(release)
    await release.promise
  }
  const app = createApp({ name: 'front' }, deps)
    .get('/slow', async (c) => {
      await wait()
      return c.json({})
    })
    .get('/own/slow', signedIn(deps), async (c) => {
      await wait()
      return c.json({})
    })
    .get('/stream', (c) => {
      const chunks = new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode('data: begun\n\n'))
          await wait()
          controller.close()
        },
      })
      return c.body(chunks, 200, { 'content-type': 'text/event-stream' })
    })
    .get('/quick', (c) => c.json({}))
    .post('/notes', body(z.strictObject({ title: z.string() })), (c) => c.json(c.req.valid('json')))
  const sockets = { drain: async () => {} }
  serving = await serve(app, { port: 0, host: '127.0.0.1', drain: 100, admission, sockets, corsOrigins: deps.corsOrigins, log })
  const { port } = serving
  return { slow, port, ask: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init) }
}

/** Sends bytes over one connection and returns all that comes back until it ends. */
async function exchange(port: number, sent: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answers = ''
  socket.on('data', (chunk) => {
    answers += chunk
  })
  socket.write(sent)
  await once(socket, 'close')
  return answers
}

it('answers 503 with Retry-After as a problem when a request could not begin in time, at once or after its wait', async () => {
  const atOnce = await start(FULL)
  const refusals = [await atOnce.ask('/gr%C3%BC%C3%9Fe?q=1')]
  await serving?.drain({ lameDuck: 0 })
  const afterWait = await start({ ...FULL, isFull: () => false })
  refusals.push(await afterWait.ask('/gr%C3%BC%C3%9Fe?q=1'))
  for (const refused of refusals) {
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer(refused, Problem)).toMatchObject({ title: 'Service Unavailable', status: 503, instance: '/gr%C3%BC%C3%9Fe' })
  }
})

it('refuses with the headers that every problem of the app has, so that a page of an allowed origin can read it', async () => {
  const headers = ({ headers }: Response) => {
    const { date, connection, 'x-request-id': _, 'content-length': __, 'retry-after': ___, ...rest } = Object.fromEntries(headers)
    return rest
  }
  for (const origin of [ORIGIN, 'https://evil.example']) {
    const { ask } = await start(FULL)
    const refused = await ask('/nothing', { headers: { origin } })
    await serving?.drain({ lameDuck: 0 })
    const notFound = await (await start(createAdmission({ running: 1, waitMs: 500 }))).ask('/nothing', { headers: { origin } })
    expect([refused.status, notFound.status]).toEqual([503, 404])
    expect(headers(refused)).toEqual(headers(notFound))
    await serving?.drain({ lameDuck: 0 })
  }
})

it('answers health checks when it refuses everything else', async () => {
  const { ask } = await start(FULL)
  expect((await ask('/quick')).status).toBe(503)
  for (const path of ['/health/live', '/health/ready', '/health/live?x']) expect((await ask(path)).status).toBe(200)
})

it('keeps a connection fit for the next request when it refuses one with a body', async () => {
  const { port } = await start(FULL)
  const post = `POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(100_000)}`
  const answers = await exchange(port, `${post}GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  expect([...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual(['503', '200'])
})

it('refuses to upgrade a connection, too', async () => {
  const { port } = await start(FULL)
  const answers = await exchange(port, 'GET /quick HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect(answers).toMatch(/^HTTP\/1\.1 503 /)
})

it('gives the place back after an answer, an error and a request that no app is asked about', async () => {
  const { ask, port } = await start(createAdmission({ running: 1, waitMs: 500 }))
  for (let count = 0; count < 3; count++) {
    expect((await ask('/quick')).status).toBe(200)
    expect((await ask('/nothing')).status).toBe(404)
    expect((await ask('/notes', { method: 'POST', body: '{' })).status).toBe(415)
    await exchange(port, 'GET /quick HTTP/1.1\r\nHost: not a host\r\nConnection: close\r\n\r\n')
  }
  expect((await ask('/quick')).status).toBe(200)
})

it('takes no place for a request whose body is slow to come', async () => {
  const { ask, port } = await start(createAdmission({ running: 1, waitMs: 500 }))
  const slow = connect(port, '127.0.0.1')
  slow.write('POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"ti')
  const chunked = connect(port, '127.0.0.1')
  chunked.write(
    'POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"ti\r\n',
  )
  // In any order of reading, a later request finds the slot free.
  for (let count = 0; count < 20; count++) expect((await ask('/quick')).status).toBe(200)
  const answered = once(slow, 'data')
  slow.write('tle":"a"}')
  expect(String(await answered)).toMatch(/^HTTP\/1\.1 200 /)
  slow.destroy()
  chunked.destroy()
})

it('takes no place for a request that waits for another one of its user', async () => {
  const { slow, ask } = await start(createAdmission({ running: 2, waitMs: 500 }))
  const { headers } = await newUser(world)
  const own = Array.from({ length: 4 }, () => ask('/own/slow', { headers }))
  await expect.poll(() => slow.length, { interval: 10 }).toBe(1)
  for (let count = 0; count < 20; count++) expect((await ask('/quick')).status).toBe(200)
  for (let done = 0; done < own.length; done++) {
    await expect.poll(() => slow.length, { interval: 10 }).toBe(done + 1)
    slow[done]?.resolve()
  }
  expect((await Promise.all(own)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
})

it('counts a stream whose work goes on behind its beginning', async () => {
  let running = 0
  const { slow, ask } = await start({
    isFull: () => false,
    enter() {
      running += 1
      return true
    },
    leave() {
      running -= 1
    },
  })
  const stream = await ask('/stream')
  expect([slow.length, running]).toEqual([1, 1])
  expect((await ask('/quick')).status).toBe(200)
  slow[0]?.resolve()
  expect(await stream.text()).toBe('data: begun\n\n')
  await expect.poll(() => running, { interval: 5 }).toBe(0)
})

it('logs how many requests it has refused once a second, not one line for each', async () => {
  const logged: number[] = []
  const { ask } = await start(FULL, (_level, message, fields) => {
    if (message === 'overloaded') logged.push(Number(fields?.refused))
  })
  await Promise.all(Array.from({ length: 50 }, () => ask('/quick')))
  const total = () => logged.reduce((sum, count) => sum + count, 0)
  await expect.poll(total, { interval: 20, timeout: 5_000 }).toBe(50)
  expect(logged.length).toBeLessThan(10)
})
