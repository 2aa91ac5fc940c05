// A new revision takes over from an old one under load, as on Knative: no request, stream or call is lost.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { answer, newUser, type TestUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { holdTodo } from '../../shared/testing/hold-todo.ts'
import { startScriptedModel } from '../../shared/testing/scripted-model.ts'
import { Todo } from '../../shared/todos/schema.ts'
import { openSocket } from '../mcp/testing.ts'
import { type Pod, startIngress, startPod } from './pod.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

const json = (user: TestUser) => ({ ...user.headers, 'content-type': 'application/json' })
const addTodo = async (base: string, user: TestUser, title: string) =>
  answer(await fetch(base, { method: 'POST', headers: json(user), body: JSON.stringify({ title }) }), Todo)

/** One request over a kept connection: its status, or why it was lost. */
function ask(
  agent: http.Agent,
  url: string,
  { method, headers, body }: { method: string; headers: http.OutgoingHttpHeaders; body?: string },
) {
  return new Promise<number | string>((resolve) => {
    const request = http.request(url, { agent, method, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    request.on('error', ({ message }) => resolve(message)).end(body)
  })
}

/** Four clients that write and read over kept connections until `stop`. */
function startLoad(base: string, user: TestUser) {
  const titles: string[] = []
  const statuses: (number | string)[] = []
  let running = true
  const clients = Array.from({ length: 4 }, async (_, client) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    for (let n = 0; running; n++) {
      const title = `${client}/${n}`
      titles.push(title)
      statuses.push(await ask(agent, base, { method: 'POST', headers: json(user), body: JSON.stringify({ title }) }))
      statuses.push(await ask(agent, `${base}?limit=5`, { method: 'GET', headers: user.headers }))
      // Leaves processor time to the functions.
      await sleep(10)
    }
    agent.destroy()
  })
  const stop = () => {
    running = false
    return Promise.all(clients)
  }
  onTestFinished(async () => {
    await stop()
  })
  return { titles, statuses, stop }
}

const refusesConnections = (pod: Pod) =>
  expect.poll(() => fetch(pod.function.url).then(String, () => 'refused'), { interval: 20 }).toBe('refused')

describe('a rollout', () => {
  it('loses no request during a rollout, neither new ones nor the one that runs when the old revision gets SIGTERM', async () => {
    const old = await startPod('todos', testEnvironment())
    const ingress = await startIngress(old)
    const user = await newUser(world)
    const base = `${ingress.url}/api/v1/${user.id}/todos`
    const { titles, statuses, stop } = startLoad(base, user)
    const fresh = await startPod('todos', testEnvironment())
    const { id } = await addTodo(base, user, 'Slow')
    const { waiting, release } = await holdTodo(world.deps.db, id)
    const slow = fetch(`${base}/${id}`, { method: 'PATCH', headers: json(user), body: '{"description":"Changed"}' })
    await expect.poll(waiting, { interval: 20 }).toBe(1)
    const { signalled, ended } = old.delete()
    // It still gets requests for a while: the network learns of the end later.
    expect(await old.probe()).toBe(503)
    const during = statuses.length
    await expect.poll(() => statuses.length, { interval: 10 }).toBeGreaterThan(during + 20)
    ingress.route(fresh)
    await signalled
    // A request that outlasts the quiet period runs on after SIGTERM, and after new connections are refused.
    await refusesConnections(old)
    await release()
    expect(await answer(await slow, Todo)).toMatchObject({ description: 'Changed' })
    await ended
    await stop()

    expect(new Set(statuses)).toEqual(new Set([200, 201]))
    const kept = await (await world.deps.db.prisma()).todo.findMany({
      where: { userId: user.id, description: null },
      select: { title: true },
    })
    expect(kept.map(({ title }) => title).toSorted()).toEqual(titles.toSorted())
    const served = (pod: Pod) => pod.function.lines.filter(({ message }) => message === 'request').length
    for (const pod of [old, fresh]) expect(served(pod)).toBeGreaterThan(10)
    await ingress.stop()
    await fresh.delete().ended
  })
})

describe('a pod that is deleted', () => {
  let model: Awaited<ReturnType<typeof startScriptedModel>>
  beforeAll(async () => {
    model = await startScriptedModel()
  })
  afterAll(() => model.stop())

  it('a pod that is deleted streams a running answer of the model to its end', async () => {
    const pod = await startPod('chat', testEnvironment({ OPENAI_API_KEY: 'any', OPENAI_BASE_URL: model.url }))
    const user = await newUser(world)
    const rest = Promise.withResolvers<void>()
    model.play([{ deltas: [{ content: 'First half, ' }], text: 'second half.', waits: rest.promise }])
    const headers = { ...json(user), accept: 'text/event-stream' }
    const response = await fetch(`${pod.url}/api/v1/chat`, { method: 'POST', headers, body: '{"message":"Tell me a story"}' })
    const reader = z.instanceof(ReadableStream).parse(response.body).pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const readUntil = async (mark: string) => {
      while (!text.includes(mark)) {
        const { value, done } = await reader.read()
        if (done) break
        text += value
      }
      expect(text).toContain(mark)
    }
    await readUntil('First half, ')
    const { signalled, ended } = pod.delete()
    await signalled
    await refusesConnections(pod)
    rest.resolve()
    await readUntil('[DONE]')
    expect([...text.matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta).join('')).toBe('First half, second half.')
    await ended
  })

  it('a pod that is deleted answers running MCP calls and closes its sockets, and the clients continue on the next pod', async () => {
    const [old, fresh] = await Promise.all([startPod('mcp', testEnvironment()), startPod('mcp', testEnvironment())])
    const ingress = await startIngress(old)
    const user = await newUser(world)
    const connect = async () => {
      const client = openSocket(`${ingress.url.replace('http', 'ws')}/api/v1/mcp`, { headers: user.headers })
      await client.opened
      const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
      expect(await client.ask(0, 'initialize', hello)).toMatchObject({ id: 0, result: { protocolVersion: '2025-11-25' } })
      client.say({ jsonrpc: '2.0', method: 'notifications/initialized' })
      const { result } = await client.ask(1, 'tools/list')
      return {
        ...client,
        tools: result?.tools,
        call: (id: number, name: string, given: object) => client.ask(id, 'tools/call', { name, arguments: given }),
      }
    }
    const before = await connect()
    const added = await before.call(2, 'add_task', { title: 'Kept' })
    const { id } = Todo.parse(added.result?.structuredContent)
    const { waiting, release } = await holdTodo(world.deps.db, id)
    const change = { name: 'update_task', arguments: { todo_id: id, title: 'Changed once' } }
    before.say({ jsonrpc: '2.0', id: 3, method: 'tools/call', params: change })
    await expect.poll(waiting, { interval: 20 }).toBe(1)

    const { signalled, ended } = old.delete()
    ingress.route(fresh)
    await signalled
    // A late call is refused, not run: the client may retry it elsewhere.
    await expect
      .poll(() => before.call(4, 'add_task', { title: 'Late' }), { interval: 20 })
      .toMatchObject({ id: 4, error: { code: -32000 } })
    await release()
    expect(await before.next()).toMatchObject({ id: 3, result: { structuredContent: { title: 'Changed once' } } })
    expect(await before.closed).toEqual({ code: 1001, reason: 'the server ends; connect again' })

    const after = await connect()
    expect(after.tools).toEqual(before.tools)
    expect(await after.call(4, 'get_task', { todo_id: id })).toMatchObject({ result: { structuredContent: { title: 'Changed once' } } })
    await ended
    await fresh.delete().ended
    await ingress.stop()
  })
})
