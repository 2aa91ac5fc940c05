// The stand-in behaves like Knative's queue-proxy in the points that the other tests rely on.
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { listen } from '../../shared/testing/http-server.ts'
import { type QueueProxyOptions, startQueueProxy } from './queue-proxy.ts'

/** `/hang` never answers, `/drip` answers a line every 50 ms for three seconds, `/drips` without an end, anything else at once; a socket repeats what it hears. */
/** How often `/health/ready` still answers 503. */
let refusals = 0
const asked: string[] = []
const left: string[] = []
const app = http.createServer(async (request, response) => {
  const path = request.url ?? ''
  asked.push(path)
  response.on('close', () => response.writableFinished || left.push(path))
  if (path === '/hang') return
  if (path === '/health/ready' && refusals-- > 0) return response.writeHead(503).end()
  if (path === '/drip') for (let line = 0; line < 60; line++) await sleep(50).then(() => response.write('drip\n'))
  while (path === '/drips' && !response.destroyed) await sleep(20).then(() => response.write('drip\n'))
  response.end('done')
})
const sockets = new WebSocketServer({ server: app })
sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
const { port, stop } = await listen(app)
const ends: (() => void)[] = []
afterAll(async () => {
  for (const end of ends) end()
  await stop()
})

async function proxy(options: QueueProxyOptions) {
  const started = await startQueueProxy(port, options)
  ends.push(started.cut)
  return started
}

it('runs as many at once as it may, lets ten times as many wait, and refuses more; a socket counts as one for its life', async () => {
  const { url } = await proxy({ concurrency: 1 })
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const begun = asked.length
  const requests = Array.from({ length: 11 }, async () => (await fetch(`${url}/next`)).status)
  expect(await Promise.race(requests)).toBe(503)
  expect(asked).toHaveLength(begun)
  socket.close()
  expect((await Promise.all(requests)).toSorted()).toEqual([...Array(10).fill(200), 503])
  expect(asked.slice(begun)).toEqual(Array(10).fill('/next'))
})

it('asks at once whether the function is ready, then every 50 ms, and is ready with its first yes', async () => {
  const spans: number[] = []
  for (let round = 0; round < 5; round++) {
    const begun = performance.now()
    refusals = 3
    const asks = asked.length
    const { probe } = await proxy({})
    expect(await probe()).toBe(200)
    spans.push(performance.now() - begun)
    expect(asked.slice(asks)).toEqual(Array(4).fill('/health/ready'))
  }
  // Three pauses between four asks. The fastest round is the one that the machine held up least.
  expect(Math.min(...spans)).toBeGreaterThan(145)
  expect(Math.min(...spans)).toBeLessThan(1_000)
})

// These wait more than they work.
describe.concurrent('the queue-proxy', () => {
  it.for([
    ['/hang', { timeout: 100 }, 504, 'request timeout'],
    ['/hang', { responseStartTimeout: 100 }, 504, 'request timeout'],
    ['/hang', { idleTimeout: 100 }, 504, 'request timeout'],
    // An answer that has begun is ended where it is, as if that were all.
    ['/drips', { timeout: 2_500 }, 200, /^(drip\n)+request timeout$/],
    ['/drip', { responseStartTimeout: 2_500, idleTimeout: 2_500 }, 200, /^(drip\n){60}done$/],
  ] as const)('%s with %o is answered with %i', async ([path, options, status, body], { expect }) => {
    const { url } = await proxy(options)
    const response = await fetch(url + path)
    expect(response.status).toBe(status)
    expect(await response.text()).toMatch(body)
    // Who was asked in vain has seen it.
    const hanging = () => asked.filter((each) => each === '/hang').length - left.filter((each) => each === '/hang').length
    await expect.poll(hanging, { interval: 10 }).toBe(0)
  })

  it.each([{ timeout: 2_500 }, { responseStartTimeout: 2_500 }, { idleTimeout: 2_500 }])('cuts a busy socket with %o', async (options) => {
    const { url } = await proxy(options)
    const socket = new WebSocket(url)
    await once(socket, 'open')
    let heard = 0
    socket.on('message', () => heard++)
    const busy = setInterval(() => socket.send('still here'), 20)
    const [code] = await once(socket, 'close')
    clearInterval(busy)
    expect(code).toBe(1006)
    expect(heard).toBeGreaterThan(0)
  })

  it('is not ready from the start of its drain, and serves until no request has come for the quiet period', async () => {
    const { url, probe, quietened, close } = await proxy({ quiet: 2_000 })
    expect(await probe()).toBe(200)
    let quiet = false
    const drained = quietened().then(() => {
      quiet = true
    })
    for (let n = 0; n < 5; n++) {
      await sleep(500)
      expect(await probe()).toBe(503)
      expect((await fetch(url)).status).toBe(200)
      expect(quiet).toBe(false)
    }
    await drained
    await close()
    await expect(fetch(url)).rejects.toThrow()
  })
})
