// Helpers for the tests of MCP: the real app on a real port, a socket with raw frames, and the SDK's client.
import { once } from 'node:events'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { sql } from '@todo/prisma'
import { SignJWT } from 'jose'
import { afterAll } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { ACCESS_TOKEN_TYPE } from '../../shared/identity/tokens.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { contextOf, SECRET, type TestUser, testDeps } from '../../shared/testing/context.ts'
import { holdTodo } from '../../shared/testing/hold-todo.ts'
import { createTodo, getTodo } from '../../shared/todos/todos.ts'
import { mcpApp } from './app.ts'
import { createMcpDeps } from './deps.ts'
import { type SocketLimits, socketLimits } from './limits.ts'

export type McpWorld = Awaited<ReturnType<typeof startMcp>>

/** The function on a free port of this machine, ended after the file's tests. */
export async function startMcp(environment: Record<string, string> = {}, limits: Partial<SocketLimits> = {}) {
  const world = testDeps(environment)
  const deps = { ...createMcpDeps(world.env, world.deps), limits: { ...socketLimits, ...limits } }
  const app = mcpApp(deps)
  const serving = await serve(app, { port: 0, host: '127.0.0.1', sockets: deps.sockets })
  const stop = async () => {
    await serving.drain({ lameDuck: 0 })
    await world.deps.db.close()
  }
  afterAll(stop)
  const url = `http://127.0.0.1:${serving.port}/api/v1/mcp`
  return { ...world, app, serving, sockets: deps.sockets, url, socketUrl: url.replace('http', 'ws') }
}

export type Frame = {
  jsonrpc?: string
  id?: unknown
  result?: Record<string, unknown>
  error?: { code: number; message: string; data?: unknown }
}

/** A plain WebSocket client. `next` resolves with the next frame, `closed` with the close code and reason. */
export function openSocket(url: string, options: ClientOptions = {}, protocols: string[] = ['mcp']) {
  const socket = new WebSocket(url, protocols, options)
  const frames: Frame[] = []
  const waiting: ((frame: Frame) => void)[] = []
  socket.on('message', (data) => {
    const frame: Frame = JSON.parse(String(data))
    const next = waiting.shift()
    if (next) next(frame)
    else frames.push(frame)
  })
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: Number(code), reason: String(reason) }))
  const opened = once(socket, 'open')
  opened.catch(() => {})
  closed.catch(() => {})
  const next = () => {
    const frame = frames.shift()
    return frame ? Promise.resolve(frame) : new Promise<Frame>((resolve) => waiting.push(resolve))
  }
  const say = (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  return {
    socket,
    opened,
    closed,
    next,
    say,
    ask: (id: number | string, method: string, params: object = {}) => {
      say({ jsonrpc: '2.0', id, method, params })
      return next()
    },
  }
}

/** Creates 500 todos for a user, so that the answer to `listAll` has 0.7 MB. */
export async function addLargeTodos({ deps }: Pick<McpWorld, 'deps'>, { id }: Pick<TestUser, 'id'>): Promise<void> {
  await deps.db.execute(sql`
    INSERT INTO todos (id, user_id, title, description)
    SELECT gen_random_uuid(), ${id}, 'todo', repeat('x', 1000) FROM generate_series(1, 500)`)
}

/** A todo whose changes wait until `release` is called, for 5 s: a request for one keeps running. Takes a connection of the pool. */
export async function heldTodo({ deps }: Pick<McpWorld, 'deps'>, user: TestUser) {
  const { id } = await createTodo(contextOf(deps, user), { title: 'held' })
  return {
    ...(await holdTodo(deps.db, id)),
    change: (requestId: unknown) => ({
      jsonrpc: '2.0',
      id: requestId,
      method: 'tools/call',
      params: { name: 'update_task', arguments: { todo_id: id, title: 'changed' } },
    }),
    title: async () => (await getTodo(contextOf(deps, user), { todo_id: id })).title,
  }
}

export const listAll = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'list_tasks', arguments: { limit: 500 } },
})

/** The response to a rejected handshake. */
export async function refused(url: string, options: ClientOptions = {}, protocols: string[] = ['mcp']) {
  const socket = new WebSocket(url, protocols, options)
  socket.on('error', () => {})
  const [, response] = await once(socket, 'unexpected-response')
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode, headers: response.headers, body: body.startsWith('{') ? JSON.parse(body) : body }
}

/** A token for a user, with another scope or lifetime if given. */
export function tokenFor(user: Pick<TestUser, 'id' | 'email'>, { scope, seconds = 600 }: { scope?: string; seconds?: number } = {}) {
  const now = Date.now() / 1000
  return new SignJWT({ email: user.email, ...(scope ? { scope } : {}) })
    .setProtectedHeader({ alg: 'HS256', typ: ACCESS_TOKEN_TYPE, kid: '1' })
    .setIssuer('todo-auth')
    .setAudience('todo-api')
    .setSubject(user.id)
    .setIssuedAt(Math.floor(now))
    .setExpirationTime(Math.floor(now + seconds))
    .setJti('test')
    .sign(Buffer.from(SECRET))
}

/** The SDK's client over a transport. */
export async function connectClient(transport: Transport): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(transport)
  return client
}
