// What only a real connection shows: bodies that are too long, callers that leave, requests that cannot be read.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { createApp } from '../http/app.ts'
import { body } from '../http/validate.ts'
import { Problem } from '../openapi/problems.ts'
import { answer, testDeps } from '../testing/context.ts'
import { sharesPorts } from './doors.ts'
import { type Serving, serve } from './serve.ts'

const { deps, lines } = testDeps()
const app = createApp({ name: 'served' }, deps).post('/notes', body(z.strictObject({ title: z.string() })), (c) =>
  c.json(c.req.valid('json')),
)
let serving: Serving
beforeAll(async () => {
  serving = await serve(app, { port: 0, host: '127.0.0.1' })
})
afterAll(async () => {
  await serving.drain({ lameDuck: 0 })
  await deps.db.close()
})

const POST = 'POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
const LAST = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

/** Sends bytes over one connection and returns the statuses of all answers that come back. */
async function statuses(...parts: string[]): Promise<number[]> {
  const socket = connect(serving.port, '127.0.0.1')
  let answers = ''
  socket.on('data', (chunk) => {
    answers += chunk
  })
  for (const part of parts) socket.write(part)
  await once(socket, 'close')
  return [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
}

// More than the limit, and no more than a busy machine reads in the half second for which the server reads on after its answer.
it('refuses a megabyte, announced or in chunks, and serves the next request on the same connection', async () => {
  const megabyte = 'a'.repeat(1_000_000)
  expect(await statuses(`${POST}Content-Length: 1000000\r\n\r\n`, megabyte, LAST)).toEqual([413, 200])
  const chunk = `10000\r\n${'a'.repeat(65_536)}\r\n`
  expect(await statuses(`${POST}Transfer-Encoding: chunked\r\n\r\n`, chunk.repeat(15), '0\r\n\r\n', LAST)).toEqual([413, 200])
})

it('reads a body in chunks, pipelined requests, Expect: 100-continue, absolute addresses and HTTP/1.0', async () => {
  const json = '{"title":"a"}'
  expect(await statuses(`${POST}Transfer-Encoding: chunked\r\n\r\nd\r\n${json}\r\n0\r\n\r\n`, LAST)).toEqual([200, 200])
  expect(await statuses(LAST.replace('Connection: close\r\n', '').repeat(3) + LAST)).toEqual([200, 200, 200, 200])
  expect(await statuses(`${POST}Content-Length: 13\r\nExpect: 100-continue\r\n\r\n${json}`, LAST)).toEqual([100, 200, 200])
  expect(await statuses(LAST.replace(' /', ' http://localhost/'))).toEqual([200])
  expect(await statuses('GET /health/live HTTP/1.0\r\n\r\n')).toEqual([200])
})

it('rejects unreadable requests, and two lengths for one body', async () => {
  expect(await statuses(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`)).toEqual([431])
  expect(await statuses('nonsense\r\n\r\n')).toEqual([400])
  expect(await statuses(`${POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toEqual([400])
})

it('logs no error of ours when a client disconnects in the middle of a body', async () => {
  const socket = connect(serving.port, '127.0.0.1')
  await new Promise((written) => socket.write(`${POST}X-Request-Id: left-early\r\nContent-Length: 100\r\n\r\n{"ti`, written))
  socket.end()
  socket.destroy()
  const line = () => lines.find(({ fields }) => fields.request_id === 'left-early')
  await expect.poll(line, { interval: 10 }).toMatchObject({ level: 'info', fields: { status: 400 } })
})

it.runIf(sharesPorts)('accepts many connections in one turn of the event loop', async () => {
  // The further listening sockets open a second after the first.
  await sleep(1_500)
  const CONNECTIONS = 200
  const client = new Worker(
    `const { connect } = require('node:net'), { workerData: port, parentPort } = require('node:worker_threads')
    let closed = 0
    for (let count = 0; count < ${CONNECTIONS}; count++) {
      const socket = connect(port, '127.0.0.1', () => socket.write(${JSON.stringify(LAST)}))
      socket.resume().on('close', () => ++closed === ${CONNECTIONS} && parentPort.postMessage('done'))
    }`,
    { eval: true, workerData: serving.port },
  )
  let done = false
  client.once('message', () => {
    done = true
  })
  let turns = 0
  for (; !done; turns++) {
    // A turn is long enough for all of them to come.
    for (const end = performance.now() + 10; performance.now() < end; );
    await setImmediate()
  }
  await client.terminate()
  expect(turns).toBeLessThan(CONNECTIONS / 2)
})

it('cuts what still runs when the time to drain is over', async () => {
  const begun = Promise.withResolvers<void>()
  const slow = createApp({ name: 'slow' }, deps).get('/slow', () => {
    begun.resolve()
    return new Promise<Response>(() => {})
  })
  const { port, drain } = await serve(slow, { port: 0, host: '127.0.0.1', drain: 50 })
  const cut = expect(fetch(`http://127.0.0.1:${port}/slow`)).rejects.toThrow()
  await begun.promise
  await drain({ lameDuck: 0 })
  await cut
})

it('answers 503 to readiness from SIGTERM on, and still serves new requests for a moment', async () => {
  const { port, drain } = await serve(createApp({ name: 'ending' }, deps), { port: 0, host: '127.0.0.1' })
  const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status
  expect(await status('/health/ready')).toBe(200)
  const drained = drain({ lameDuck: 1_000 })
  const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
  expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '1'])
  expect((await answer(ready, Problem)).detail).toBe('This process is about to end.')
  expect([await status('/health/live'), await status('/openapi.json')]).toEqual([200, 200])
  await drained
})
