// One user cannot exhaust the sockets, calls or memory of a process.
import { describe, expect, it } from 'vitest'
import { newUser, type TestUser } from '../../shared/testing/context.ts'
import { createInboxes } from './inbox.ts'
import { heldTodo, type McpWorld, openSocket, refused, startMcp } from './testing.ts'

const MiB = 1024 * 1024

async function open(world: McpWorld, user: TestUser) {
  const client = openSocket(world.socketUrl, { headers: user.headers })
  // A connection that the server drops may fail to write its pending frames.
  client.socket.on('error', () => {})
  await client.opened
  return client
}
type Client = Awaited<ReturnType<typeof open>>

const codesOf = (world: McpWorld) => world.lines.filter(({ message }) => message === 'disconnected').map(({ fields }) => fields.code)

describe('the sockets of one user', () => {
  it('answers 429 with Retry-After to a socket above the limit of its user, while another user connects', async () => {
    const world = await startMcp({ MCP_MAX_CONNECTIONS_PER_USER: '2' })
    const [greedy, other] = [await newUser(world), await newUser(world)]
    const [first] = [await open(world, greedy), await open(world, greedy)]
    expect(await refused(world.socketUrl, { headers: greedy.headers })).toMatchObject({
      status: 429,
      headers: { 'retry-after': '5', 'content-type': 'application/problem+json' },
      body: { detail: 'You have 2 connections open here, and may have 2. Close one, then connect again.' },
    })
    const { ask, socket } = await open(world, other)
    expect(await ask(1, 'tools/call', { name: 'list_tasks' })).toMatchObject({ id: 1, result: { structuredContent: { count: 0 } } })
    socket.close()
    first?.socket.close()
    await first?.closed
    const again = async () => (await open(world, greedy)).socket.close()
    await expect.poll(() => again().catch(String)).toBeUndefined()
  })

  it('opens at most 20 of many concurrent sockets of one user by default', async () => {
    const world = await startMcp()
    const user = await newUser(world)
    const clients = Array.from({ length: 30 }, () => openSocket(world.socketUrl, { headers: user.headers }))
    const opened = await Promise.allSettled(clients.map(({ opened }) => opened))
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
    for (const { socket } of clients) socket.terminate()
  })
})

describe('the calls of one user', () => {
  it('limits the calls of one user over all sockets: one more gets -32000 with the seconds to wait, and other users are answered', async () => {
    const world = await startMcp({ USER_MAX_RUNNING: '2', USER_MAX_WAITING: '1' })
    const [greedy, other] = [await newUser(world), await newUser(world)]
    const { change, waiting, release } = await heldTodo(world, greedy)
    const [first, second, third] = [await open(world, greedy), await open(world, greedy), await open(world, other)]
    first.say(change(1))
    await expect.poll(waiting).toBe(1)
    second.say(change(2))
    second.say(change(3))
    expect(await second.ask(4, 'tools/list')).toEqual({
      jsonrpc: '2.0',
      id: 4,
      error: { code: -32000, message: expect.stringContaining('2 run and 1 wait'), data: { retry_after_seconds: 1 } },
    })
    expect(await third.ask(1, 'tools/list')).toMatchObject({ id: 1, result: { tools: expect.any(Array) } })
    await release()
    const answers = [await first.next(), await second.next(), await second.next()]
    for (const answer of answers) expect(answer).toMatchObject({ result: { structuredContent: { title: 'changed' } } })
    expect(new Set(answers.map(({ id }) => id))).toEqual(new Set([1, 2, 3]))
    for (const { socket } of [first, second, third]) socket.close()
  })

  it('counts calls on sockets and requests over HTTP together', async () => {
    const world = await startMcp({ USER_MAX_RUNNING: '1', USER_MAX_WAITING: '0' })
    const user = await newUser(world)
    const { ask, socket } = await open(world, user)
    const leave = await world.deps.lanes.enter(user.id)
    expect(await ask(1, 'tools/list')).toMatchObject({ id: 1, error: { code: -32000 } })
    leave()
    expect(await ask(2, 'tools/list')).toMatchObject({ id: 2, result: {} })
    socket.close()
  })

  it('counts a call until it ends, even when its connection has closed', async () => {
    const world = await startMcp({ USER_MAX_RUNNING: '1', USER_MAX_WAITING: '0' })
    const user = await newUser(world)
    const { change, waiting, release, title } = await heldTodo(world, user)
    const gone = await open(world, user)
    gone.say(change(1))
    await expect.poll(waiting).toBe(1)
    gone.socket.terminate()
    await expect.poll(() => codesOf(world)).toEqual([1006])
    const { ask, socket } = await open(world, user)
    expect(await ask(1, 'ping')).toMatchObject({ id: 1, error: { code: -32000 } })
    await release()
    await expect.poll(async () => (await ask(2, 'ping')).result).toEqual({})
    expect(await title()).toBe('changed')
    socket.close()
  })
})

describe('messages that were received and not processed', () => {
  it('reads at most 2 MiB of unprocessed messages of a user, and answers all of them once there is room', async () => {
    const world = await startMcp({ USER_MAX_RUNNING: '1' })
    const user = await newUser(world)
    const { change, waiting, release } = await heldTodo(world, user)
    const [busy, sender] = [await open(world, user), await open(world, user)]
    busy.say(change(1))
    await expect.poll(waiting).toBe(1)
    const total = 30
    const query = 'x'.repeat(900_000)
    for (let id = 0; id < total; id++)
      sender.say({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'list_tasks', arguments: { q: query } } })
    await expect.poll(() => world.sockets.heldBytes).toBeGreaterThan(1.7 * MiB)
    // The inbox, one message that found no room, and the rest of the same chunk.
    expect(world.sockets.heldBytes).toBeLessThan(4 * MiB)
    expect(sender.socket.bufferedAmount).toBeGreaterThan(5 * MiB)
    await release()
    expect(await busy.next()).toMatchObject({ id: 1, result: {} })
    for (let id = 0; id < total; id++) expect(await sender.next()).toMatchObject({ id, result: { isError: true } })
    expect(world.sockets.heldBytes).toBeLessThan(MiB)
    for (const { socket } of [busy, sender]) socket.close()
    await expect.poll(() => world.sockets.heldBytes).toBe(0)
  })

  it('counts incomplete messages towards the limit of the process', async () => {
    const world = await startMcp({ MCP_MAX_HELD_BYTES: String(2 * MiB) })
    const user = await newUser(world)
    const clients = await Promise.all([1, 2, 3].map(() => open(world, user)))
    for (const { socket } of clients) socket.send('x'.repeat(900_000), { fin: false })
    expect(await Promise.race(clients.map(({ closed }) => closed))).toEqual({
      code: 1013,
      reason: 'too many unread bytes here: read answers faster, ask for less',
    })
    await expect.poll(() => world.sockets.heldBytes).toBeLessThan(2 * MiB)
    expect(codesOf(world).length).toBeLessThan(3)
    for (const { socket } of clients) socket.terminate()
    await expect.poll(() => world.sockets.heldBytes).toBe(0)
  })

  it('limits an inbox to its size, and retries waiting messages when one is released', () => {
    const inboxes = createInboxes(10)
    const retries: string[] = []
    const reserve = (bytes: number, name = '') => inboxes.reserve('ada', bytes, () => retries.push(name))
    const first = reserve(20)
    expect(reserve(1, 'second')).toBeUndefined()
    expect(inboxes.reserve('grace', 10, () => {})).toBeTypeOf('function')
    expect(retries).toEqual([])
    first?.()
    expect(retries).toEqual(['second'])
    expect([reserve(9), reserve(1), reserve(1)].map((room) => typeof room)).toEqual(['function', 'function', 'undefined'])
  })
})

describe('answers that are not read', () => {
  it('holds unread answers of 100 sockets within the limit of the process, while another user connects and is answered', async () => {
    const limit = 4 * MiB
    const answer = 900_000
    const enough = 10
    const world = await startMcp({ MCP_MAX_HELD_BYTES: String(limit) })
    const clients: Client[] = []
    for (let count = 0; count < 5; count++) {
      const user = await newUser(world)
      clients.push(...(await Promise.all(Array.from({ length: 20 }, () => open(world, user)))))
    }
    let peak = 0
    const watch = setInterval(() => {
      peak = Math.max(peak, world.sockets.heldBytes)
    })
    /** Sends requests as fast as the server reads, and reads nothing. An answer repeats its id. */
    async function flood({ socket }: Client, most: number) {
      socket.pause()
      for (let id = 0; id < most && socket.readyState === socket.OPEN && codesOf(world).length < enough; id++) {
        const ping = JSON.stringify({ jsonrpc: '2.0', id: `${id}`.padEnd(answer, 'x'), method: 'ping' })
        await new Promise((sent) => socket.send(ping, sent))
      }
    }
    // The kernel buffers about 3 MB a socket before the process holds anything: filling all of them would take long.
    const flooding = Promise.all(clients.map((client, index) => flood(client, index < 20 ? Number.POSITIVE_INFINITY : 1)))
    await expect.poll(() => codesOf(world), { timeout: 40_000 }).toContain(1013)
    const { ask, socket } = await open(world, await newUser(world))
    expect(await ask(1, 'tools/call', { name: 'list_tasks' })).toMatchObject({ id: 1, result: { structuredContent: { count: 0 } } })
    await flooding
    expect(await ask(2, 'tools/list')).toMatchObject({ id: 2, result: {} })
    clearInterval(watch)
    socket.close()
    expect(new Set(codesOf(world))).toEqual(new Set([1013]))
    expect(peak).toBeGreaterThan(limit / 2)
    expect(peak).toBeLessThan(limit + 2 * answer + 2 * MiB)
    for (const each of clients) each.socket.terminate()
    await expect.poll(() => world.sockets.heldBytes, { timeout: 10_000 }).toBe(0)
  }, 60_000)
})

describe('pings', () => {
  it('answers only the newest of many pings that arrive at once', async () => {
    const world = await startMcp()
    const { socket, ask } = await open(world, await newUser(world))
    const pongs: string[] = []
    socket.on('pong', (data) => pongs.push(String(data)))
    for (let count = 0; count < 5_000; count++) socket.ping(String(count))
    expect(await ask(1, 'tools/list')).toMatchObject({ id: 1, result: {} })
    await expect.poll(() => pongs.at(-1)).toBe('4999')
    expect(world.sockets.heldBytes).toBe(0)
    socket.close()
  })
})
