// Events end to end: every face emits them, the end of a process loses none, and a sink that is down affects no request.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, expect, it } from 'vitest'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { newMigratedDatabase, startSink } from '../../shared/testing/sink.ts'
import { Todo } from '../../shared/todos/schema.ts'

const DATABASE_URL = await newMigratedDatabase()
const world = testDeps({ DATABASE_URL })
afterAll(() => world.deps.db.close())

const PATIENCE = { interval: 20 }
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

it('REST, MCP and chat emit an event for each change, within the trace of the request', async () => {
  const sink = await startSink()
  const environment = testEnvironment({ DATABASE_URL, K_SINK: sink.url, K_CE_OVERRIDES: '{"extensions":{"cluster":"blue"}}' })
  const [todos, mcp, chat] = await Promise.all(['todos', 'mcp', 'chat'].map((name) => startFunction(name, environment)))
  const user = await newUser(world)
  const headers = { ...user.headers, 'content-type': 'application/json', traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` }

  const base = `${todos?.url}/api/v1/${user.id}/todos`
  const { id } = await answer(await fetch(base, { method: 'POST', headers, body: '{"title":"Water the ferns"}' }), Todo)
  const client = new Client({ name: 'events', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${mcp?.url}/api/v1/mcp`), { requestInit: { headers } }))
  await client.callTool({ name: 'complete_task', arguments: { todo_id: id } })
  await client.close()
  const said = await fetch(`${chat?.url}/api/v1/chat`, { method: 'POST', headers, body: '{"message":"delete water the ferns"}' })
  expect(said.status).toBe(200)

  // The sink may also get events that another test has left.
  const told = () => sink.events.filter(({ subject }) => subject === id)
  await expect.poll(() => told().map(({ type }) => type), PATIENCE).toEqual(['todo.created', 'todo.completed', 'todo.deleted'])
  for (const event of told()) {
    expect(event).toMatchObject({ cluster: 'blue', data: { id, user_id: user.id, title: 'Water the ferns' } })
    expect(event.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`))
  }
  await Promise.all([todos, mcp, chat].map((running) => running?.stop()))
  expect(await (await world.deps.db.prisma()).outboxEvent.count({ where: { userId: user.id } })).toBe(0)
})

it('loses no event when SIGTERM follows a change, and no request fails or waits when the sink is down', async () => {
  const user = await newUser(world)
  const headers = { ...user.headers, 'content-type': 'application/json' }
  const change = (url: string) => fetch(`${url}/api/v1/${user.id}/todos`, { method: 'POST', headers, body: '{"title":"Last words"}' })
  const told = async () => (await world.deps.db.prisma()).outboxEvent.findMany({ where: { userId: user.id } })

  const sink = await startSink()
  const ending = await startFunction('todos', testEnvironment({ DATABASE_URL, K_SINK: sink.url }))
  const answers = await Promise.all(Array.from({ length: 8 }, () => change(ending.url)))
  await ending.stop('SIGTERM')
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(201))
  const ids = await Promise.all(answers.map(async (each) => (await answer(each, Todo)).id))
  expect(new Set(sink.events.map(({ subject }) => subject))).toEqual(new Set(ids))
  expect(await told()).toEqual([])

  const silent = await startSink(() => undefined)
  const waiting = await startFunction('todos', testEnvironment({ DATABASE_URL, K_SINK: silent.url }))
  expect((await change(waiting.url)).status).toBe(201)
  // Ends within its grace period although the sink does not answer, and releases its lease.
  await waiting.stop('SIGTERM')
  expect(await told()).toMatchObject([{ attempts: 0, lastError: null, deadAt: null }])

  const lonely = await startFunction('todos', testEnvironment({ DATABASE_URL, K_SINK: 'http://127.0.0.1:2/' }))
  expect((await change(lonely.url)).status).toBe(201)
  await expect.poll(async () => (await told()).map(({ lastError }) => lastError), PATIENCE).toEqual(['ECONNREFUSED', 'ECONNREFUSED'])
  await lonely.stop('SIGTERM')
})
