// Knative's limits and the functions behind them: containerConcurrency, the request timeout, the age of a socket.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { holdTodo } from '../../shared/testing/hold-todo.ts'
import { type FunctionProcess, startFunction } from '../../shared/testing/process.ts'
import { startScriptedModel } from '../../shared/testing/scripted-model.ts'
import { Todo } from '../../shared/todos/schema.ts'
import { ChatReply } from '../chat/contract.ts'
import { openSocket } from '../mcp/testing.ts'
import { type QueueProxyOptions, startQueueProxy } from './queue-proxy.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

async function proxied({ url }: FunctionProcess, options: QueueProxyOptions = {}) {
  const proxy = await startQueueProxy(Number(new URL(url).port), options)
  return { ...proxy, api: `${proxy.url}/api/v1` }
}

describe('todos', () => {
  let todos: FunctionProcess
  beforeAll(async () => {
    // One connection: a request that kept it would be missed by the next.
    todos = await startFunction('todos', testEnvironment({ DATABASE_POOL_SIZE: '1' }))
  })
  afterAll(() => todos.stop())

  async function heldTodo() {
    const user = await newUser(world)
    const headers = { ...user.headers, 'content-type': 'application/json' }
    const path = `/api/v1/${user.id}/todos`
    const todo = await answer(await fetch(todos.url + path, { method: 'POST', headers, body: '{"title":"Held"}' }), Todo)
    const change = { method: 'PATCH', headers, body: '{"description":"Changed"}' }
    return { headers, path, one: `${path}/${todo.id}`, change, ...(await holdTodo(world.deps.db, todo.id)) }
  }

  it('answers other requests after one that was cut off, whose change is complete or absent', async () => {
    const { url, close } = await proxied(todos, { timeout: 300 })
    const { headers, one, change, waiting, release } = await heldTodo()
    const cut = await fetch(url + one, change)
    expect(cut.status).toBe(504)
    expect(await cut.text()).toBe('request timeout')
    await expect.poll(waiting, { interval: 20 }).toBe(1)
    await release()
    const todo = await answer(await fetch(todos.url + one, { headers }), Todo)
    expect(['Changed', null]).toContain(todo.description)
    expect(await answer(await fetch(todos.url + one, change), Todo)).toMatchObject({ description: 'Changed' })
    await close()
  })

  it('serves one request after the other behind containerConcurrency 1, and refuses none itself', async () => {
    const { url, close } = await proxied(todos, { concurrency: 1 })
    const { headers, path, one, change, waiting, release } = await heldTodo()
    const first = fetch(url + one, change)
    await expect.poll(waiting, { interval: 20 }).toBe(1)
    const served = () => todos.lines.filter(({ message }) => message === 'request').length
    const soFar = served()
    const others = Array.from({ length: 11 }, (_, n) =>
      fetch(url + path, n % 2 ? { headers } : { method: 'POST', headers, body: `{"title":"${n}"}` }).then(({ status }) => status),
    )
    // Ten wait, so one finds the gate full.
    expect(await Promise.race(others)).toBe(503)
    expect(served()).toBe(soFar)
    await release()
    expect((await first).status).toBe(200)
    expect((await Promise.all(others)).filter((status) => ![200, 201].includes(status))).toEqual([503])
    await close()
  })
})

describe.concurrent('behind the queue-proxy', () => {
  it('chat closes the request to the model when its own is cut off, and the conversation continues', async () => {
    const model = await startScriptedModel()
    const chat = await startFunction('chat', testEnvironment({ OPENAI_API_KEY: 'any', OPENAI_BASE_URL: model.url }))
    // Less than the 15 s for which a request that vanished would hold its conversation. The hasty one has to reach the model.
    const [patient, hasty] = await Promise.all([proxied(chat, { timeout: 10_000 }), proxied(chat, { timeout: 4_000 })])
    const { headers } = await newUser(world)
    const say = (api: string, message: string, conversation_id?: string) =>
      fetch(`${api}/chat`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ message, conversation_id }),
      })
    model.play([{ text: 'Hello.' }])
    const { conversation_id } = await answer(await say(patient.api, 'Hello'), ChatReply)
    model.play([{ hangs: true }])
    expect((await say(hasty.api, 'Are you there?', conversation_id)).status).toBe(504)
    await model.hungUp()
    model.play([{ text: 'I am.' }])
    expect(await answer(await say(patient.api, 'And now?', conversation_id), ChatReply)).toMatchObject({ response: 'I am.' })
    await Promise.all([patient.close(), hasty.close(), chat.stop(), model.stop()])
  })

  it('mcp closes a socket before the queue-proxy cuts it, and its client continues on the next', async () => {
    const mcp = await startFunction('mcp', testEnvironment({ MCP_MAX_CONNECTION_SECONDS: '4' }))
    const { url, close } = await proxied(mcp, { timeout: 30_000, responseStartTimeout: 30_000 })
    const user = await newUser(world)
    const connect = async () => {
      const client = openSocket(`${url.replace('http', 'ws')}/api/v1/mcp`, { headers: user.headers })
      await client.opened
      return client
    }
    const first = await connect()
    expect(await first.ask(1, 'tools/call', { name: 'add_task', arguments: { title: 'Kept' } })).toMatchObject({ id: 1, result: {} })
    expect(await first.closed).toEqual({ code: 1001, reason: 'this connection is old; connect again' })
    const second = await connect()
    const list = await second.ask(2, 'tools/call', { name: 'list_tasks', arguments: {} })
    expect(list).toMatchObject({ result: { structuredContent: { todos: [{ title: 'Kept' }] } } })
    await Promise.all([mcp.stop(), close()])
  })
})
