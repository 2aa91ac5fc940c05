import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { JSONRPCMessage, MessageExtraInfo } from '@modelcontextprotocol/sdk/types.js'
import { sql } from '@todo/prisma'
import { describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { contextOf, newUser, type TestUser } from '../../shared/testing/context.ts'
import { listen } from '../../shared/testing/http-server.ts'
import { ListTodos } from '../../shared/todos/schema.ts'
import { createTodo, listTodos } from '../../shared/todos/todos.ts'
import { socketLimits } from './limits.ts'
import { WebSocketServerTransport } from './socket-transport.ts'
import { addLargeTodos, heldTodo, listAll, type McpWorld, openSocket, refused, startMcp, tokenFor } from './testing.ts'

const world = await startMcp()
const LIST = { name: 'list_tasks', arguments: {} }
const list = (id: unknown) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: LIST })

async function open(user: TestUser, { at = world, ...options }: { at?: McpWorld; autoPong?: boolean } = {}) {
  const socket = openSocket(at.socketUrl, { headers: user.headers, ...options })
  await socket.opened
  return socket
}

const newTicket = async (headers: Record<string, string>) => {
  const answer = await fetch(`${world.url}/ticket`, { method: 'POST', headers })
  const { ticket }: { ticket: string } = JSON.parse(await answer.text())
  return ticket
}

describe('the handshake', () => {
  const asProtocol = (token: string) => `bearer.${Buffer.from(token).toString('base64url')}`

  it('accepts a token in the Authorization header, a subprotocol or a ticket, and selects the subprotocol mcp', async () => {
    const user = await newUser(world)
    const ways = [
      openSocket(world.socketUrl, { headers: user.headers }),
      openSocket(world.socketUrl, {}, ['mcp', asProtocol(user.token)]),
      openSocket(world.socketUrl, { origin: 'https://app.example.com' }, [asProtocol(user.token), 'mcp']),
      openSocket(`${world.socketUrl}?ticket=${await newTicket(user.headers)}`),
    ]
    for (const { opened, socket, ask } of ways) {
      await opened
      expect(socket.protocol).toBe('mcp')
      expect(await ask(1, 'tools/call', LIST)).toMatchObject({ id: 1, result: { structuredContent: { count: 0 } } })
      socket.close()
    }
    const plain = openSocket(world.socketUrl, { headers: user.headers }, [])
    await plain.opened
    expect(plain.socket.protocol).toBe('')
    plain.socket.close()
    const handshakes = () => world.lines.filter(({ message, fields }) => message === 'request' && fields.status === 101)
    await expect.poll(() => handshakes().filter(({ fields }) => fields.user_id === user.id)).toHaveLength(5)
  })

  it('rejects an invalid handshake before the upgrade, with a problem', async () => {
    const { headers, token } = await newUser(world)
    const spent = await newTicket(headers)
    const first = openSocket(`${world.socketUrl}?ticket=${spent}`)
    await first.opened
    first.socket.close()
    const unspent = await newTicket(headers)
    const slow = await newUser(world)
    const late = await newTicket(slow.headers)
    await world.deps.db.execute(sql`UPDATE mcp_tickets SET expires_at = now() - interval '1 second' WHERE actor->>'userId' = ${slow.id}`)
    const cases: [number, Parameters<typeof refused>][] = [
      [401, [world.socketUrl]],
      [401, [world.socketUrl, { headers: { authorization: 'Bearer nonsense' } }]],
      [401, [world.socketUrl, { headers: { authorization: 'Basic YTpi' } }]],
      [401, [world.socketUrl, {}, ['mcp', 'bearer.nonsense']]],
      [401, [`${world.socketUrl}?ticket=${spent}`]],
      [401, [`${world.socketUrl}?ticket=${late}`]],
      [401, [`${world.socketUrl}?ticket=nonsense`]],
      [401, [`${world.socketUrl}?token=${token}`]],
      [403, [world.socketUrl, { headers, origin: 'https://evil.example.com' }]],
      [400, [world.socketUrl, { headers }, ['graphql-ws']]],
      [400, [`${world.socketUrl}?ticket=${unspent}`, { protocolVersion: 8 }]],
      [404, [`${world.socketUrl}/nowhere`, { headers }]],
    ]
    for (const [status, handshake] of cases) {
      const answer = await refused(...handshake)
      expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/problem+json' }, body: { status } })
      if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
    }
    expect(await refused(`${world.socketUrl}/nowhere`, { headers: { ...headers, host: 'localhost/api/v1/mcp?' } })).toMatchObject({
      status: 400,
    })
    const second = openSocket(`${world.socketUrl}?ticket=${unspent}`)
    await second.opened
    second.socket.close()
    expect(JSON.stringify(world.lines)).not.toContain(spent)
  })

  it('does not upgrade a request of HTTP/1.0', async () => {
    const { host, port, pathname } = new URL(world.url)
    const { headers } = await newUser(world)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(
      `GET ${pathname} HTTP/1.0\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: ${headers.authorization}\r\n\r\n`,
    )
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 405 /)
    socket.destroy()
  })

  it('rejects a foreign Host on a loopback server, and only there', async () => {
    const local = await startMcp({ CORS_ORIGINS: 'loopback' })
    const cluster = await startMcp({ CORS_ORIGINS: 'loopback', HOST: '' })
    const { headers } = await newUser(world)
    const rebound = { ...headers, host: 'evil.example.com' }
    expect(await refused(local.socketUrl, { headers: rebound })).toMatchObject({ status: 403 })
    for (const [url, host] of [
      [local.socketUrl, 'localhost:8000'],
      [cluster.socketUrl, 'mcp.todo.127.0.0.1.sslip.io'],
    ] as const) {
      const { opened, socket } = openSocket(url, { headers: { ...headers, host }, origin: 'http://localhost:5173' })
      await opened
      socket.close()
    }
  })

  it('answers 503 with Retry-After to a socket above the limit of the process', async () => {
    const small = await startMcp({ MCP_MAX_CONNECTIONS: '1' })
    const user = await newUser(world)
    const only = await open(user, { at: small })
    expect(await refused(small.socketUrl, { headers: user.headers })).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
    only.socket.close()
    await only.closed
    await expect.poll(async () => open(user, { at: small }).then(({ socket }) => socket.close())).toBeUndefined()
  })
})

describe('a connection', () => {
  it('answers garbage and batches with JSON-RPC errors, and closes a socket that sends nothing else', async () => {
    const { say, next, closed, ask } = await open(await newUser(world))
    for (const [frame, code] of [
      ['{', -32700],
      ['', -32700],
      [`{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(40)}1${'}'.repeat(41)}`, -32600],
      ['[]', -32600],
      [JSON.stringify([list(1), list(2)]), -32600],
      ['null', -32600],
      ['"tools/list"', -32600],
      ['{"id":1,"method":"tools/list"}', -32600],
      ['{"jsonrpc":"2.0","id":{},"method":"tools/list"}', -32600],
    ] as const) {
      say(frame)
      expect(await next()).toEqual({ jsonrpc: '2.0', id: null, error: { code, message: expect.any(String) } })
    }
    expect(await ask(1, 'no/such/method')).toMatchObject({ id: 1, error: { code: -32601 } })
    for (let count = 0; count < 10; count++) say('garbage')
    expect(await closed).toEqual({ code: 1008, reason: 'too many unreadable messages' })
  })

  it('closes a socket with 1003 on binary frames, 1009 on large ones and 1007 on invalid UTF-8', async () => {
    const user = await newUser(world)
    const send = async (data: Buffer | string, binary: boolean) => {
      const { socket, closed } = await open(user)
      socket.send(data, { binary })
      return (await closed).code
    }
    expect(await send(Buffer.from('{}'), true)).toBe(1003)
    expect(await send(' '.repeat(1024 * 1024 + 1), false)).toBe(1009)
    expect(await send(Buffer.from([0xff, 0xfe]), false)).toBe(1007)
  })

  it('runs each request id once, and answers a cancelled request', async () => {
    const user = await newUser(world)
    const { change, release } = await heldTodo(world, user)
    const { say, next, ask, socket } = await open(user)
    say(change(1))
    say(change(1))
    expect(await next()).toMatchObject({ id: 1, error: { code: -32600 } })
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    say(change('1'))
    await release()
    expect(new Set([(await next()).id, (await next()).id])).toEqual(new Set([1, '1']))
    expect(await ask(4, 'ping')).toMatchObject({ id: 4, result: {} })
    socket.close()
  })

  it('closes the socket of a client that does not read its answers with 1013 and a reason', async () => {
    const narrow = await startMcp({}, { unreadBytes: 64 * 1024 })
    const user = await newUser(world)
    await addLargeTodos(world, user)
    const { socket, say, closed } = await open(user, { at: narrow })
    socket.pause()
    for (let id = 0; id < 30; id++) say(listAll(id))
    // Two answers wait: the second one found the first unread.
    await expect.poll(() => narrow.sockets.heldBytes, { timeout: 10_000 }).toBeGreaterThan(1_000_000)
    socket.resume()
    expect(await closed).toEqual({ code: 1013, reason: 'answers are not being read' })
    await expect.poll(() => narrow.sockets.heldBytes).toBe(0)
  })

  it('pings a client, and closes its socket when it does not answer', async () => {
    const nervous = await startMcp({}, { pingMs: 500 })
    const user = await newUser(world)
    const [alive, dead] = [await open(user, { at: nervous }), await open(user, { at: nervous, autoPong: false })]
    expect((await dead.closed).code).toBe(1006)
    for (let count = 0; count < 3; count++) await once(alive.socket, 'ping')
    expect(await alive.ask(1, 'ping')).toMatchObject({ result: {} })
    alive.socket.close()
  })

  it('closes a socket with 4401 when its token expires, after the running calls', async () => {
    const user = await newUser(world)
    const { change, release } = await heldTodo(world, user)
    const socket = openSocket(world.socketUrl, { headers: { authorization: `Bearer ${await tokenFor(user, { seconds: 2 })}` } })
    await socket.opened
    socket.say(change(1))
    // Repeat until the connection takes no more requests.
    const refusal = async () => (await socket.ask(2, 'ping')).error?.code
    await expect.poll(refusal, { timeout: 5000 }).toBe(-32000)
    await release()
    expect(await socket.next()).toMatchObject({ id: 1, result: { structuredContent: { title: 'changed' } } })
    expect(await socket.closed).toEqual({ code: 4401, reason: 'the token has expired' })
  })

  it('drains a socket: answers running calls, rejects new calls and sockets, then closes with 1001', async () => {
    const ending = await startMcp()
    const user = await newUser(world)
    const { change, release } = await heldTodo(world, user)
    const [busy, idle] = [await open(user, { at: ending }), await open(user, { at: ending })]
    busy.say(change(1))
    await idle.ask(1, 'ping')
    const drained = ending.serving.drain({ lameDuck: 0 })
    expect((await idle.closed).code).toBe(1001)
    expect(await busy.ask(2, 'ping')).toMatchObject({ id: 2, error: { code: -32000 } })
    expect(await refused(ending.socketUrl, { headers: user.headers })).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    await release()
    expect(await busy.next()).toMatchObject({ id: 1, result: { structuredContent: { title: 'changed' } } })
    expect(await busy.closed).toEqual({ code: 1001, reason: 'the server ends; connect again' })
    await drained
  })

  it('answers -32000 to waiting calls when the process drains, and does not run them', async () => {
    const ending = await startMcp({ USER_MAX_RUNNING: '1' })
    const user = await newUser(world)
    const { change, waiting, release } = await heldTodo(world, user)
    const { say, next, closed } = await open(user, { at: ending })
    say(change('running'))
    say({ ...list('waiting'), params: { name: 'add_task', arguments: { title: 'Never added' } } })
    await expect.poll(waiting).toBe(1)
    const drained = ending.serving.drain({ lameDuck: 0 })
    expect(await next()).toMatchObject({ id: 'waiting', error: { code: -32000, message: expect.stringContaining('not run') } })
    await release()
    expect(await next()).toMatchObject({ id: 'running', result: { structuredContent: { title: 'changed' } } })
    expect((await closed).code).toBe(1001)
    await drained
    expect(await listTodos(contextOf(world.deps, user), ListTodos.parse({}))).toMatchObject({ todos: [{ title: 'changed' }] })
  })

  it('reports the outcome of a call that outlasts the drain as unknown, before it closes with 1001', async () => {
    const ending = await startMcp({}, { leaveMs: 100 })
    const user = await newUser(world)
    const { change, waiting, release } = await heldTodo(world, user)
    const { say, next, closed } = await open(user, { at: ending })
    say(change(1))
    await expect.poll(waiting).toBe(1)
    const drained = ending.serving.drain({ lameDuck: 0 })
    expect(await next()).toEqual({ jsonrpc: '2.0', id: 1, error: { code: -32603, message: expect.stringContaining('not known') } })
    expect((await closed).code).toBe(1001)
    await release()
    await drained
  })

  it('answers every request before it closes a socket, even after an invalid frame', async () => {
    const world = await startMcp({ USER_MAX_RUNNING: '1' })
    const user = await newUser(world)
    const { change, waiting, release } = await heldTodo(world, user)
    const { say, next, closed } = await open(user, { at: world })
    say({ method: 'call/update_task', params: change(0).params.arguments, id: 'predecessor' })
    await expect.poll(waiting).toBe(1)
    say(list('waiting'))
    for (let count = 0; count < 10; count++) say('garbage')
    for (let count = 0; count < 10; count++) expect(await next()).toMatchObject({ id: null, error: { code: -32700 } })
    expect(await next()).toEqual({ id: 'predecessor', error: { code: -32603, message: expect.stringContaining('not known') } })
    expect(await next()).toMatchObject({ id: 'waiting', error: { code: -32000 } })
    expect((await closed).code).toBe(1008)
    await release()
  })

  it('holds no state per connection', async () => {
    const user = await newUser(world)
    for (const title of ['a', 'b', 'c']) await createTodo(contextOf(world.deps, user), { title })
    const page = async (args: object) => {
      const { ask, socket } = await open(user)
      const { result } = await ask(1, 'tools/call', { name: 'list_tasks', arguments: { sort: 'title', limit: 2, ...args } })
      socket.close()
      return JSON.parse(JSON.stringify(result)).structuredContent
    }
    const { next_cursor } = await page({})
    expect(await page({ cursor: next_cursor })).toMatchObject({ todos: [{ title: 'c' }], next_cursor: null })
  })
})

describe('legacy messages on a socket', () => {
  it('answers legacy messages in their own form, for the user of the token', async () => {
    const [user, other] = [await newUser(world), await newUser(world)]
    const { say, next, socket } = await open(user)
    const tell = (message: object) => {
      say(message)
      return next()
    }
    const added = await tell({ method: 'call/add_task', params: { user_id: other.id, title: 'Buy milk' }, id: 7 })
    expect(added).toEqual({ id: 7, result: expect.objectContaining({ title: 'Buy milk', user_id: user.id }) })
    expect(await tell({ method: 'call/list_tasks', params: {}, id: 'a' })).toMatchObject({ id: 'a', result: { count: 1 } })
    expect(await tell({ method: 'call/list_tasks' })).toMatchObject({ id: null, result: { count: 1 } })
    const wrong = await tell({ method: 'call/add_task', params: { title: '' }, id: 8 })
    expect(wrong).toEqual({ id: 8, error: { code: -32000, message: expect.stringContaining('title: must have 1 to 255') } })
    expect(await tell({ method: 'call/no_such', id: 9 })).toMatchObject({ id: 9, error: { code: -32602 } })
    expect(await tell({ method: 'tools/list', id: 1 })).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32600 } })
    socket.close()
  })
})

describe('the transport', () => {
  it('buffers messages until the transport starts, and reports its close once', async () => {
    const http = createServer()
    const { port, stop } = await listen(http)
    const sockets = new WebSocketServer({ server: http })
    const client = openSocket(`ws://127.0.0.1:${port}`)
    const [socket] = await once(sockets, 'connection')
    const authInfo = { token: '', clientId: 'me', scopes: [] }
    const admission = { reserve: () => () => {}, enter: async () => () => {}, countHeld: () => {} }
    const transport = new WebSocketServerTransport(socket, { admission, authInfo, limits: { ...socketLimits, closeTimeoutMs: 200 } })
    await client.opened
    client.say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    client.say(list(1))
    await once(socket, 'message')
    const seen: [JSONRPCMessage, MessageExtraInfo | undefined][] = []
    let closes = 0
    transport.onmessage = (message, extra) => seen.push([message, extra])
    transport.onclose = () => {
      closes++
    }
    await transport.start()
    await expect(transport.start()).rejects.toThrow()
    await expect.poll(() => seen).toHaveLength(2)
    expect(seen[1]).toEqual([list(1), { authInfo }])
    // A client that does not answer the close frame is dropped.
    client.socket.pause()
    await Promise.all([transport.close(), transport.close()])
    // The call still runs: the SDK would drop its answer, and its end would go unnoticed.
    expect(closes).toBe(0)
    await transport.send({ jsonrpc: '2.0', id: 1, result: {} })
    expect(closes).toBe(1)
    await expect(transport.send({ jsonrpc: '2.0', id: 1, result: {} })).rejects.toThrow()
    client.socket.terminate()
    sockets.close()
    await stop()
  })
})
