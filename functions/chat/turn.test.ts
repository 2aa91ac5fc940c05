// Turns: the conversation of a message, idempotent retries, and answers that the database or the deadline interrupts.
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { leaseLimits } from '../../shared/conversations/lease.ts'
import { answer, newUser, type TestUser, testDeps } from '../../shared/testing/context.ts'
import { startDatabaseProxy } from '../../shared/testing/proxy.ts'
import { startScriptedModel } from '../../shared/testing/scripted-model.ts'
import { chatApp } from './app.ts'
import { ChatReply } from './contract.ts'
import { createChatDeps } from './deps.ts'
import { type ChatLimits, chatLimits } from './limits.ts'

const world = testDeps()
const { db } = world.deps
const app = chatApp(createChatDeps(world.env, world.deps))
afterAll(() => db.close())

type App = typeof app
type Body = { message: string; conversation_id?: string | null | undefined; message_id?: string }

type Options = { to?: App | undefined; stream?: boolean; signal?: AbortSignal | null }

const kept: Request[] = []
function post(user: Pick<TestUser, 'headers'>, body: Body, { to = app, stream = false, signal = null }: Options = {}) {
  const request = new Request('http://localhost/api/v1/chat', {
    method: 'POST',
    signal,
    headers: { ...user.headers, 'content-type': 'application/json', ...(stream ? { accept: 'text/event-stream' } : {}) },
    body: JSON.stringify(body),
  })
  // The signal of a garbage-collected request never aborts.
  kept.push(request)
  return to.request(request)
}
async function say(user: Pick<TestUser, 'headers'>, body: Body | string, to?: App) {
  const sent = await post(user, typeof body === 'string' ? { message: body } : body, to ? { to } : {})
  expect(sent.status).toBe(200)
  return answer(sent, ChatReply)
}
/** The conversation's id and the parts of a streamed answer, without random ids. */
async function stream(user: Pick<TestUser, 'headers'>, body: Body, to?: App) {
  const text = await (await post(user, body, { stream: true, ...(to ? { to } : {}) })).text()
  const lines = text.split('\n\n').filter((line) => line.startsWith('data: {'))
  const parts = lines.map((line) => z.looseObject({ type: z.string() }).parse(JSON.parse(line.slice(6))))
  const { conversation_id } = z.object({ conversation_id: z.string() }).parse(parts[0]?.messageMetadata)
  return { conversation_id, parts: parts.map(({ type, output, delta, errorText }) => ({ type, output, delta, errorText })) }
}
const todos = async (user: TestUser) => (await db.prisma()).todo.count({ where: { userId: user.id } })

/** A chat with a scripted model. */
async function withModel(limits: ChatLimits = chatLimits, overrides: Record<string, string> = {}) {
  const model = await startScriptedModel()
  onTestFinished(model.stop)
  const own = testDeps({ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: model.url, ...overrides })
  onTestFinished(() => own.deps.db.close())
  return { model, to: chatApp(createChatDeps(own.env, own.deps, limits)), lines: own.lines }
}

/** A chat whose database is behind a proxy that can fail. */
async function withProxy(limits: Partial<ChatLimits> = {}) {
  const proxy = await startDatabaseProxy(inject('databaseUrl'))
  const own = testDeps({ DATABASE_URL: proxy.url })
  onTestFinished(async () => {
    // Close the proxy first: held statements would keep the pool open.
    await proxy.stop()
    await own.deps.db.close()
  })
  return { proxy, to: chatApp(createChatDeps(own.env, own.deps, { ...chatLimits, ...limits })), lines: own.lines }
}

describe('a message without a conversation id', () => {
  it('continues the latest conversation, so that a yes confirms the pending question', async () => {
    const user = await newUser(world)
    for (const title of ['a', 'b', 'c', 'd', 'e']) await say(user, `add ${title}`)
    expect(await todos(user)).toBe(5)
    const asked = await say(user, 'delete everything')
    expect(asked.response).toMatch(/5 todos.*Shall I/)
    const done = await say(user, 'yes')
    expect(done.conversation_id).toBe(asked.conversation_id)
    expect(await todos(user)).toBe(0)
    expect(await (await db.prisma()).conversation.count({ where: { userId: user.id } })).toBe(1)
  })

  it('begins a new conversation after half an hour without a message', async () => {
    const user = await newUser(world)
    const { conversation_id: id } = await say(user, 'add a')
    const late = (minutes: number) => {
      const deps = { ...world.deps, clock: () => new Date(Date.now() + minutes * 60_000) }
      return chatApp({ ...createChatDeps(world.env, deps), verifyToken: () => world.deps.verifyToken(user.token) })
    }
    expect((await say(user, 'add b', late(29))).conversation_id).toBe(id)
    const next = await say(user, 'add c', late(60))
    expect(next.conversation_id).not.toBe(id)
    expect((await say(user, 'add d', late(61))).conversation_id).toBe(next.conversation_id)
  })

  it('keeps conversations begun by null or a stream apart from the one without an id', async () => {
    const user = await newUser(world)
    const { conversation_id: implicit } = await say(user, 'add a')
    const { conversation_id: explicit } = await say(user, { message: 'add b', conversation_id: null })
    const { conversation_id: streamed } = await stream(user, { message: 'add c' })
    expect(new Set([implicit, explicit, streamed]).size).toBe(3)
    expect((await say(user, 'add d')).conversation_id).toBe(implicit)
    expect((await say(user, { message: 'add e', conversation_id: explicit })).conversation_id).toBe(explicit)
    expect((await stream(user, { message: 'add f', conversation_id: implicit })).conversation_id).toBe(implicit)
  })

  it('begins a new conversation when the last one was deleted', async () => {
    const user = await newUser(world)
    const { conversation_id: id } = await say(user, 'add a')
    await app.request(`/api/v1/conversations/${id}`, { method: 'DELETE', headers: user.headers })
    expect((await say(user, 'add b')).conversation_id).not.toBe(id)
  })

  it('handles two concurrent first messages in one conversation, one after the other', async () => {
    const user = await newUser(world)
    const others = testDeps()
    onTestFinished(() => others.deps.db.close())
    const apps = [app, chatApp(createChatDeps(others.env, others.deps))]
    const replies = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((title, index) => say(user, `add ${title}`, apps[index % 2])))
    expect(new Set(replies.map(({ conversation_id }) => conversation_id)).size).toBe(1)
    const rows = await (await db.prisma()).message.findMany({ where: { conversation: { userId: user.id } }, orderBy: { position: 'asc' } })
    expect(rows.map(({ role }) => role)).toEqual(Array(6).fill(['user', 'assistant', 'assistant']).flat())
  })
})

describe('a message id', () => {
  it('answers a repeated message id with the stored answer and runs nothing', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1' }
    const first = await say(user, body)
    expect(await say(user, body)).toEqual(first)
    expect(await say(user, { ...body, conversation_id: first.conversation_id })).toEqual(first)
    expect(await todos(user)).toBe(1)
    expect(await (await db.prisma()).message.count({ where: { conversation: { userId: user.id } } })).toBe(3)
  })

  it('streams the same parts for a repeated message id', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1' }
    const first = await stream(user, body)
    expect(first.parts.map(({ type }) => type)).toContain('tool-output-available')
    expect(await stream(user, body)).toEqual(first)
    expect((await say(user, body)).conversation_id).toBe(first.conversation_id)
    expect(await todos(user)).toBe(1)
  })

  it('answers many concurrent requests with one message id once, in a new conversation', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1', conversation_id: null }
    const replies = await Promise.all(Array.from({ length: 6 }, () => say(user, body)))
    for (const reply of replies) expect(reply).toEqual(replies[0])
    expect(await todos(user)).toBe(1)
    expect(await (await db.prisma()).conversation.count({ where: { userId: user.id } })).toBe(1)
  })

  it('makes a retry wait for the answer of the first request with its message id', async () => {
    const { model, to } = await withModel()
    const user = await newUser(world)
    const done = Promise.withResolvers<void>()
    model.play([{ calls: [{ name: 'add_task', arguments: { title: 'Milk' } }] }, { text: 'Added.', waits: done.promise }])
    const body = { message: 'add milk', message_id: 'm1' }
    const first = stream(user, body, to)
    await expect.poll(() => model.requests().length, { timeout: 20_000 }).toBe(2)
    let retried = false
    const retry = stream(user, body, to).finally(() => {
      retried = true
    })
    await sleep(300)
    expect(retried).toBe(false)
    done.resolve()
    const [one, two] = await Promise.all([first, retry])
    expect(two.conversation_id).toBe(one.conversation_id)
    expect(two.parts.filter(({ output }) => output)).toEqual(one.parts.filter(({ output }) => output))
    expect(model.requests()).toHaveLength(2)
    expect(await todos(user)).toBe(1)
  })

  /** The rows that a process leaves when it is killed while it answers. */
  async function crashed(user: TestUser, body: Required<Pick<Body, 'message' | 'message_id'>>, calls: object[]) {
    const { conversation_id } = await say(user, body)
    const rows = await (await db.prisma()).message.findMany({ where: { conversationId: conversation_id }, orderBy: { position: 'asc' } })
    await (await db.prisma()).message.deleteMany({ where: { conversationId: conversation_id, role: 'assistant' } })
    const row = { conversationId: conversation_id, role: 'assistant' as const, content: '', toolCalls: calls }
    if (calls.length > 0) await (await db.prisma()).message.create({ data: { id: uuidv7(), position: 2, ...row } })
    await db.execute(sql`UPDATE chat_turns SET reply = NULL WHERE question_id = ${rows[0]?.id}::uuid`)
    await (await db.prisma()).conversation.update({
      where: { id: conversation_id },
      data: { leaseId: uuidv7(), leaseUntil: new Date(Date.now() + 300) },
    })
    await (await db.prisma()).todo.deleteMany({ where: { userId: user.id } })
    return conversation_id
  }
  const call = (title: string, rest: object) => ({
    id: title,
    name: 'add_task',
    arguments: { title },
    result: null,
    is_error: false,
    ...rest,
  })

  it('answers a retry after a crash with the calls that ran or may have run, and runs nothing', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1' }
    const conversation_id = await crashed(user, body, [
      call('Milk', { settled: true, result: { id: 'x' } }),
      call('Bread', { settled: false }),
      call('Eggs', { settled: false }),
    ])
    const reply = await say(user, body)
    expect(reply).toMatchObject({
      conversation_id,
      response: expect.stringMatching(/interrupted.*Done: added “Milk”.*may have added “Bread”/),
    })
    expect(reply.response).not.toContain('Eggs')
    expect(reply.tool_calls.map(({ is_error }) => is_error)).toEqual([false, true, true])
    expect(reply.tool_calls[1]?.result).toMatchObject({ outcome: 'unknown' })
    expect(await say(user, body)).toEqual(reply)
    expect(await todos(user)).toBe(0)
  })

  it('runs a retry when the first request crashed before it changed anything', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1' }
    await crashed(user, body, [])
    expect((await say(user, body)).response).toBe('Added “milk”.')
    expect(await todos(user)).toBe(1)
  })

  it('runs a retry when the first request failed without a change', async () => {
    const { model, to } = await withModel()
    const user = await newUser(world)
    model.play([{ status: 401 }])
    const body = { message: 'hello', message_id: 'm1' }
    expect((await post(user, body, { to })).status).toBe(502)
    model.play([{ text: 'Hello.' }])
    expect((await say(user, body, to)).response).toBe('Hello.')
  })

  it('answers a retry of an incomplete answer with the same answer and its reason', async () => {
    const { model, to } = await withModel()
    const user = await newUser(world)
    model.play([{ calls: [{ name: 'add_task', arguments: { title: 'Milk' } }] }, { status: 401 }])
    const body = { message: 'add milk', message_id: 'm1' }
    const first = await stream(user, body, to)
    const again = await stream(user, body, to)
    expect(first.parts.at(-2)).toMatchObject({ type: 'error', errorText: expect.stringContaining('Done: added “Milk”') })
    expect(again.parts.at(-2)).toEqual(first.parts.at(-2))
    expect(await todos(user)).toBe(1)
  })

  it('answers 409 to a message id of another message or conversation', async () => {
    const user = await newUser(world)
    const { conversation_id } = await say(user, { message: 'add milk', message_id: 'm1' })
    const { conversation_id: other } = await say(user, { message: 'hello', conversation_id: null })
    expect((await post(user, { message: 'add bread', message_id: 'm1', conversation_id })).status).toBe(409)
    expect((await post(user, { message: 'add milk', message_id: 'm1', conversation_id: other })).status).toBe(409)
    expect(await todos(user)).toBe(1)
  })

  it('keeps message ids of different users apart', async () => {
    const [ada, eve] = [await newUser(world), await newUser(world)]
    const body = { message: 'add milk', message_id: 'm1' }
    expect((await say(ada, body)).conversation_id).not.toBe((await say(eve, body)).conversation_id)
    expect([await todos(ada), await todos(eve)]).toEqual([1, 1])
  })

  it('stores a long answer for retries in a shortened form', async () => {
    const user = await newUser(world)
    const description = 'x'.repeat(5_000)
    await (await db.prisma()).todo.createMany({
      data: Array.from({ length: 20 }, (_, n) => ({ id: uuidv7(), userId: user.id, title: `${n}`, description })),
    })
    const body = { message: 'show my tasks', message_id: 'm1' }
    const first = await say(user, body)
    const again = await say(user, body)
    expect(again.response).toBe(first.response)
    expect(JSON.stringify(again).length).toBeLessThan(chatLimits.replyBytes)
  })

  it('deletes stored answers with their conversation and their user', async () => {
    const user = await newUser(world)
    const { conversation_id } = await say(user, { message: 'add milk', message_id: 'm1' })
    await app.request(`/api/v1/conversations/${conversation_id}`, { method: 'DELETE', headers: user.headers })
    expect(await (await db.prisma()).chatTurn.count({ where: { userId: user.id } })).toBe(0)
    await say(user, { message: 'add milk', message_id: 'm1' })
    await (await db.prisma()).user.delete({ where: { id: user.id } })
    expect(await (await db.prisma()).chatTurn.count({ where: { userId: user.id } })).toBe(0)
  })

  it.each(['', ' ', 'a b', 'ü', 'x'.repeat(129), 'a\n', 'a/b'])('answers 422 to the message id %j', async (message_id) => {
    expect((await post(await newUser(world), { message: 'hello', message_id })).status).toBe(422)
  })
})

describe('an interrupted write', () => {
  it('reports a write with an unknown outcome when its connection was cut after the commit', async () => {
    const { proxy, to } = await withProxy()
    const user = await newUser(world)
    void proxy.fail('INSERT INTO todos', 'cut')
    const reply = await say(user, 'add milk', to)
    expect(await todos(user)).toBe(1)
    expect(reply.response).toMatch(/^I may have added “milk”.*Look before you try again\.$/)
    expect(reply.tool_calls).toMatchObject([{ name: 'add_task', is_error: true, result: { outcome: 'unknown' } }])
    const row = await (await db.prisma()).message.findFirst({ where: { conversationId: reply.conversation_id, position: 2 } })
    expect(row?.toolCalls).toMatchObject([{ settled: true, result: { outcome: 'unknown' } }])
  })

  it('reports a confirmed write with an unknown outcome as unknown, not as failed', async () => {
    const { proxy, to } = await withProxy()
    const user = await newUser(world)
    for (const title of ['a', 'b', 'c', 'd']) await say(user, `add ${title}`, to)
    await say(user, 'delete everything', to)
    void proxy.fail('DELETE FROM todos', 'cut')
    const { response } = await say(user, 'yes', to)
    expect(response).toMatch(/^Done: deleted (“.”(, | and )?){3}\. I may have deleted “.”/)
    expect(response).not.toContain('could not be done')
  })

  it('reports an interrupted write to a model as unknown, and lets it retry only after a read', async () => {
    const proxy = await startDatabaseProxy(inject('databaseUrl'))
    onTestFinished(proxy.stop)
    const { model, to } = await withModel(chatLimits, { DATABASE_URL: proxy.url })
    const user = await newUser(world)
    const add = { calls: [{ name: 'add_task', arguments: { title: 'Milk' } }] }
    model.play([add, add, { calls: [{ name: 'list_tasks', arguments: {} }] }, add, { text: 'Done.' }])
    void proxy.fail('INSERT INTO todos', 'cut')
    const reply = await say(user, 'add milk', to)
    const results =
      model
        .requests()
        .at(-1)
        ?.messages.flatMap(({ role, content }) => (role === 'tool' ? [content ?? ''] : [])) ?? []
    expect(results).toHaveLength(4)
    expect(JSON.parse(results[0] ?? '')).toMatchObject({ outcome: 'unknown' })
    expect(results[1]).toContain('look it up first')
    expect(results[2]).toContain('Milk')
    expect(reply.tool_calls.map(({ is_error }) => is_error)).toEqual([true, true, false, false])
  })

  it('reports a write that never reached the database as failed', async () => {
    const { proxy, to } = await withProxy()
    const user = await newUser(world)
    await say(user, 'hello', to)
    proxy.interrupt()
    const sent = await post(user, { message: 'add milk' }, { to })
    expect(sent.status).toBe(503)
    expect(await sent.text()).not.toContain('may have')
    proxy.restore()
    expect((await say(user, 'add milk', to)).response).toBe('Added “milk”.')
  })
})

describe('an answer that cannot be stored', () => {
  it.each(['cut', 'hold'] as const)(
    'returns an answer that cannot be stored when its calls ran, and the next message does not wait (%s)',
    async (fault) => {
      const { proxy, to, lines } = await withProxy({ endingMs: 300 })
      const user = await newUser(world)
      const { conversation_id } = await say(user, 'hello', to)
      // The statement that stores the final message also releases the lease.
      const met = proxy.fail('lease_id = NULL', fault)
      const begun = Date.now()
      const reply = await say(user, { message: 'add milk', conversation_id }, to)
      expect(reply.response).toBe('Added “milk”.')
      await met
      expect(lines.map(({ message }) => message)).toContain('answer not stored')
      expect((await say(user, { message: 'add bread', conversation_id }, to)).response).toBe('Added “bread”.')
      expect(Date.now() - begun).toBeLessThan(leaseLimits.leaseMs / 2)
    },
  )

  it('frees the conversation of an unstored answer once the database is back', async () => {
    const { proxy, to, lines } = await withProxy()
    const user = await newUser(world)
    const { conversation_id } = await say(user, 'hello', to)
    void proxy.fail('INSERT INTO todos', 'cut').then(() => proxy.interrupt())
    const reply = await say(user, { message: 'add milk', conversation_id }, to)
    expect(reply.response).toContain('may have added “milk”')
    const begun = Date.now()
    proxy.restore()
    expect((await say(user, { message: 'add bread', conversation_id }, to)).response).toBe('Added “bread”.')
    expect(Date.now() - begun).toBeLessThan(leaseLimits.leaseMs / 2)
    expect(lines.map(({ message }) => message)).toContain('conversation lease not released')
    expect(lines.filter(({ level, message }) => level === 'error' && message !== 'request')).toEqual([])
  })

  it('fails when an answer cannot be stored and no call ran', async () => {
    const { proxy, to } = await withProxy({ endingMs: 300 })
    const user = await newUser(world)
    const { conversation_id } = await say(user, 'hello', to)
    for (const fault of ['cut', 'hold'] as const) {
      void proxy.fail('lease_id = NULL', fault)
      expect((await post(user, { message: 'help', conversation_id }, { to })).status).toBe(503)
    }
  })
})

describe('the deadline', () => {
  // The tests disconnect the client to end the deadline, so a busy machine cannot decide when. A query times out by itself after 12 s.
  const limits = { graceMs: 50, endingMs: 8_000 }
  const SOON = 10_000

  it('ends an answer whose write hangs, and reports its outcome as unknown', async () => {
    const { proxy, to } = await withProxy(limits)
    const user = await newUser(world)
    const gone = new AbortController()
    const met = proxy.fail('INSERT INTO todos', 'hold')
    const sent = post(user, { message: 'add milk' }, { to, signal: gone.signal })
    await met
    const begun = Date.now()
    gone.abort()
    const reply = await answer(await sent, ChatReply)
    expect(Date.now() - begun).toBeLessThan(SOON)
    expect(reply.response).toMatch(/I may have added “milk”/)
    expect(reply.tool_calls).toMatchObject([{ name: 'add_task', is_error: true, result: { outcome: 'unknown' } }])
    const rows = await (await db.prisma()).message.findMany({
      where: { conversationId: reply.conversation_id },
      orderBy: { position: 'asc' },
    })
    expect(rows.at(-1)?.content).toBe(reply.response)
  })

  it('ends a request when its conversation cannot be opened before the deadline', async () => {
    const { proxy, to } = await withProxy(limits)
    const user = await newUser(world)
    const gone = new AbortController()
    const met = proxy.fail('WITH wanted', 'hold')
    const sent = post(user, { message: 'add milk' }, { to, signal: gone.signal })
    await met
    const begun = Date.now()
    gone.abort()
    expect((await sent).status).toBe(503)
    expect(Date.now() - begun).toBeLessThan(SOON)
    expect(await todos(user)).toBe(0)
  })

  it.each(['text', 'body'] as const)('ends a model request whose %s arrives byte by byte at the deadline', async (drips) => {
    const { model, to } = await withModel({ ...chatLimits, ...limits })
    const user = await newUser(world)
    const gone = new AbortController()
    model.play([{ calls: [{ name: 'add_task', arguments: { title: 'Milk' } }] }, { drips }])
    const sent = post(user, { message: 'add milk' }, { to, signal: gone.signal, stream: drips === 'text' })
    await expect.poll(() => model.requests().length, { timeout: 20_000 }).toBe(2)
    gone.abort()
    expect(await (await sent).text()).toContain('Done: added “Milk”')
    await model.hungUp()
  })

  it('ends a request by itself when the time is up', async () => {
    const { model, to } = await withModel({ ...chatLimits, timeMs: 300 })
    model.play([{ drips: 'body' }])
    const sent = await post(await newUser(world), { message: 'hello' }, { to })
    expect(sent.status).toBe(503)
    expect(await sent.text()).toContain('I ran out of time. Nothing was changed.')
  })
})

describe('a lease', () => {
  it('logs a lease that could not be renewed', async () => {
    const proxy = await startDatabaseProxy(inject('databaseUrl'))
    onTestFinished(proxy.stop)
    const { model, to, lines } = await withModel(chatLimits, { DATABASE_URL: proxy.url })
    const user = await newUser(world)
    const finish = Promise.withResolvers<void>()
    model.play([{ text: 'Hello.', waits: finish.promise }])
    const asked = stream(user, { message: 'hello' }, to)
    await expect.poll(() => model.requests().length, { timeout: 20_000 }).toBe(1)
    proxy.interrupt()
    await expect.poll(() => lines.map(({ message }) => message), { timeout: 20_000 }).toContain('conversation lease not renewed')
    proxy.restore()
    finish.resolve()
    expect((await asked).parts.some(({ delta }) => delta === 'Hello')).toBe(true)
  })
})
