// Where a message goes, that it is answered once, and what the answer says when the database or the clock interrupts it.
import { setTimeout as sleep } from 'node:timers/promises'
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
afterAll(() => db.$disconnect())

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
  // The signal of a request that is collected as garbage never aborts.
  kept.push(request)
  return to.request(request)
}
async function say(user: Pick<TestUser, 'headers'>, body: Body | string, to?: App) {
  const sent = await post(user, typeof body === 'string' ? { message: body } : body, to ? { to } : {})
  expect(sent.status).toBe(200)
  return answer(sent, ChatReply)
}
/** The conversation's id and the parts of a streamed answer, without ids that differ each time. */
async function stream(user: Pick<TestUser, 'headers'>, body: Body, to?: App) {
  const text = await (await post(user, body, { stream: true, ...(to ? { to } : {}) })).text()
  const lines = text.split('\n\n').filter((line) => line.startsWith('data: {'))
  const parts = lines.map((line) => z.looseObject({ type: z.string() }).parse(JSON.parse(line.slice(6))))
  const { conversation_id } = z.object({ conversation_id: z.string() }).parse(parts[0]?.messageMetadata)
  return { conversation_id, parts: parts.map(({ type, output, delta, errorText }) => ({ type, output, delta, errorText })) }
}
const todos = (user: TestUser) => db.todo.count({ where: { userId: user.id } })

/** A chat with a scripted model. */
async function withModel(limits: ChatLimits = chatLimits, overrides: Record<string, string> = {}) {
  const model = await startScriptedModel()
  onTestFinished(model.stop)
  const own = testDeps({ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: model.url, ...overrides })
  onTestFinished(() => own.deps.db.$disconnect())
  return { model, to: chatApp(createChatDeps(own.env, own.deps, limits)), lines: own.lines }
}

/** A chat whose database is behind a proxy that can fail. */
async function withProxy(limits: Partial<ChatLimits> = {}) {
  const proxy = await startDatabaseProxy(inject('databaseUrl'))
  const own = testDeps({ DATABASE_URL: proxy.url })
  onTestFinished(async () => {
    // First the proxy: held statements would keep the pool open.
    await proxy.stop()
    await own.deps.db.$disconnect()
  })
  return { proxy, to: chatApp(createChatDeps(own.env, own.deps, { ...chatLimits, ...limits })), lines: own.lines }
}

describe('a message without a conversation id', () => {
  it('continues the conversation, so that a yes confirms what was asked', async () => {
    const user = await newUser(world)
    for (const title of ['a', 'b', 'c', 'd', 'e']) await say(user, `add ${title}`)
    expect(await todos(user)).toBe(5)
    const asked = await say(user, 'delete everything')
    expect(asked.response).toMatch(/5 todos.*Shall I/)
    const done = await say(user, 'yes')
    expect(done.conversation_id).toBe(asked.conversation_id)
    expect(await todos(user)).toBe(0)
    expect(await db.conversation.count({ where: { userId: user.id } })).toBe(1)
  })

  it('begins another conversation after half an hour without a message', async () => {
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

  it('neither continues a conversation that null or a stream began, nor does such a one continue it', async () => {
    const user = await newUser(world)
    const { conversation_id: implicit } = await say(user, 'add a')
    const { conversation_id: explicit } = await say(user, { message: 'add b', conversation_id: null })
    const { conversation_id: streamed } = await stream(user, { message: 'add c' })
    expect(new Set([implicit, explicit, streamed]).size).toBe(3)
    expect((await say(user, 'add d')).conversation_id).toBe(implicit)
    expect((await say(user, { message: 'add e', conversation_id: explicit })).conversation_id).toBe(explicit)
    expect((await stream(user, { message: 'add f', conversation_id: implicit })).conversation_id).toBe(implicit)
  })

  it('begins another conversation when the last one was deleted', async () => {
    const user = await newUser(world)
    const { conversation_id: id } = await say(user, 'add a')
    await app.request(`/api/v1/conversations/${id}`, { method: 'DELETE', headers: user.headers })
    expect((await say(user, 'add b')).conversation_id).not.toBe(id)
  })

  it('waits for another one that arrives at the same time, also when there is no conversation yet', async () => {
    const user = await newUser(world)
    const others = testDeps()
    onTestFinished(() => others.deps.db.$disconnect())
    const apps = [app, chatApp(createChatDeps(others.env, others.deps))]
    const replies = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((title, index) => say(user, `add ${title}`, apps[index % 2])))
    expect(new Set(replies.map(({ conversation_id }) => conversation_id)).size).toBe(1)
    const rows = await db.message.findMany({ where: { conversation: { userId: user.id } }, orderBy: { position: 'asc' } })
    expect(rows.map(({ role }) => role)).toEqual(Array(6).fill(['user', 'assistant', 'assistant']).flat())
  })
})

describe('a message id', () => {
  it('that comes twice is answered once: the retry gets the same answer and runs nothing', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1' }
    const first = await say(user, body)
    expect(await say(user, body)).toEqual(first)
    expect(await say(user, { ...body, conversation_id: first.conversation_id })).toEqual(first)
    expect(await todos(user)).toBe(1)
    expect(await db.message.count({ where: { conversation: { userId: user.id } } })).toBe(3)
  })

  it('that comes twice streams the same parts twice', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1' }
    const first = await stream(user, body)
    expect(first.parts.map(({ type }) => type)).toContain('tool-output-available')
    expect(await stream(user, body)).toEqual(first)
    expect((await say(user, body)).conversation_id).toBe(first.conversation_id)
    expect(await todos(user)).toBe(1)
  })

  it('that comes many times at once, in a new conversation, is answered once', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1', conversation_id: null }
    const replies = await Promise.all(Array.from({ length: 6 }, () => say(user, body)))
    for (const reply of replies) expect(reply).toEqual(replies[0])
    expect(await todos(user)).toBe(1)
    expect(await db.conversation.count({ where: { userId: user.id } })).toBe(1)
  })

  it('whose first request still runs makes the retry wait for its answer', async () => {
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

  /** What a process leaves behind that is killed while it answers. */
  async function crashed(user: TestUser, body: Required<Pick<Body, 'message' | 'message_id'>>, calls: object[]) {
    const { conversation_id } = await say(user, body)
    const rows = await db.message.findMany({ where: { conversationId: conversation_id }, orderBy: { position: 'asc' } })
    await db.message.deleteMany({ where: { conversationId: conversation_id, role: 'assistant' } })
    const row = { conversationId: conversation_id, role: 'assistant' as const, content: '', toolCalls: calls }
    if (calls.length > 0) await db.message.create({ data: { id: uuidv7(), position: 2, ...row } })
    await db.$executeRaw`UPDATE chat_turns SET reply = NULL WHERE question_id = ${rows[0]?.id}::uuid`
    await db.conversation.update({
      where: { id: conversation_id },
      data: { leaseId: uuidv7(), leaseUntil: new Date(Date.now() + 300) },
    })
    await db.todo.deleteMany({ where: { userId: user.id } })
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

  it('whose first request crashed in the middle says what was done and what may have been, and runs nothing', async () => {
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

  it('whose first request crashed before it changed anything is answered by the retry', async () => {
    const user = await newUser(world)
    const body = { message: 'add milk', message_id: 'm1' }
    await crashed(user, body, [])
    expect((await say(user, body)).response).toBe('Added “milk”.')
    expect(await todos(user)).toBe(1)
  })

  it('whose first request failed without a change may be tried again', async () => {
    const { model, to } = await withModel()
    const user = await newUser(world)
    model.play([{ status: 401 }])
    const body = { message: 'hello', message_id: 'm1' }
    expect((await post(user, body, { to })).status).toBe(502)
    model.play([{ text: 'Hello.' }])
    expect((await say(user, body, to)).response).toBe('Hello.')
  })

  it('of an incomplete answer gives the incomplete answer again, with its reason', async () => {
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

  it('of another message, or in another conversation, is a conflict', async () => {
    const user = await newUser(world)
    const { conversation_id } = await say(user, { message: 'add milk', message_id: 'm1' })
    const { conversation_id: other } = await say(user, { message: 'hello', conversation_id: null })
    expect((await post(user, { message: 'add bread', message_id: 'm1', conversation_id })).status).toBe(409)
    expect((await post(user, { message: 'add milk', message_id: 'm1', conversation_id: other })).status).toBe(409)
    expect(await todos(user)).toBe(1)
  })

  it('of one user means nothing for another user', async () => {
    const [ada, eve] = [await newUser(world), await newUser(world)]
    const body = { message: 'add milk', message_id: 'm1' }
    expect((await say(ada, body)).conversation_id).not.toBe((await say(eve, body)).conversation_id)
    expect([await todos(ada), await todos(eve)]).toEqual([1, 1])
  })

  it('is stored with a long answer in a shorter form', async () => {
    const user = await newUser(world)
    const description = 'x'.repeat(5_000)
    await db.todo.createMany({
      data: Array.from({ length: 20 }, (_, n) => ({ id: uuidv7(), userId: user.id, title: `${n}`, description })),
    })
    const body = { message: 'show my tasks', message_id: 'm1' }
    const first = await say(user, body)
    const again = await say(user, body)
    expect(again.response).toBe(first.response)
    expect(JSON.stringify(again).length).toBeLessThan(chatLimits.replyBytes)
  })

  it('goes with its conversation and with its user', async () => {
    const user = await newUser(world)
    const { conversation_id } = await say(user, { message: 'add milk', message_id: 'm1' })
    await app.request(`/api/v1/conversations/${conversation_id}`, { method: 'DELETE', headers: user.headers })
    expect(await db.chatTurn.count({ where: { userId: user.id } })).toBe(0)
    await say(user, { message: 'add milk', message_id: 'm1' })
    await db.user.delete({ where: { id: user.id } })
    expect(await db.chatTurn.count({ where: { userId: user.id } })).toBe(0)
  })

  it.each(['', ' ', 'a b', 'ü', 'x'.repeat(129), 'a\n', 'a/b'])('is refused as %j', async (message_id) => {
    expect((await post(await newUser(world), { message: 'hello', message_id })).status).toBe(422)
  })
})

describe('an interrupted write', () => {
  it('is not called a failure when its connection was cut after the row was written', async () => {
    const { proxy, to } = await withProxy()
    const user = await newUser(world)
    void proxy.fail('INSERT INTO todos', 'cut')
    const reply = await say(user, 'add milk', to)
    expect(await todos(user)).toBe(1)
    expect(reply.response).toMatch(/^I may have added “milk”.*Look before you try again\.$/)
    expect(reply.tool_calls).toMatchObject([{ name: 'add_task', is_error: true, result: { outcome: 'unknown' } }])
    const row = await db.message.findFirst({ where: { conversationId: reply.conversation_id, position: 2 } })
    expect(row?.toolCalls).toMatchObject([{ settled: true, result: { outcome: 'unknown' } }])
  })

  it('is not counted as refused when it was confirmed before', async () => {
    const { proxy, to } = await withProxy()
    const user = await newUser(world)
    for (const title of ['a', 'b', 'c', 'd']) await say(user, `add ${title}`, to)
    await say(user, 'delete everything', to)
    void proxy.fail('DELETE FROM todos', 'cut')
    const { response } = await say(user, 'yes', to)
    expect(response).toMatch(/^Done: deleted (“.”(, | and )?){3}\. I may have deleted “.”/)
    expect(response).not.toContain('could not be done')
  })

  it('is told to a model as unknown, and is made again only after a look', async () => {
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

  it('that never reached the database is a plain failure', async () => {
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
  it.each(['cut', 'hold'] as const)('is given all the same when it was done, and the next message does not wait (%s)', async (fault) => {
    const { proxy, to, lines } = await withProxy({ endingMs: 300 })
    const user = await newUser(world)
    const { conversation_id } = await say(user, 'hello', to)
    // The statement that stores the end releases the lease, too.
    const met = proxy.fail('lease_id = NULL', fault)
    const begun = Date.now()
    const reply = await say(user, { message: 'add milk', conversation_id }, to)
    expect(reply.response).toBe('Added “milk”.')
    await met
    expect(lines.map(({ message }) => message)).toContain('answer not stored')
    expect((await say(user, { message: 'add bread', conversation_id }, to)).response).toBe('Added “bread”.')
    expect(Date.now() - begun).toBeLessThan(leaseLimits.leaseMs / 2)
  })

  it('leaves a conversation that is free again as soon as the database is back', async () => {
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

  it('is a failure when nothing was done: the conversation has lost it', async () => {
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
  // It passes when the client hangs up, too: so a busy machine does not decide when. A query gives up by itself after 12 s.
  const limits = { graceMs: 50, endingMs: 8_000 }
  const SOON = 10_000

  it('ends an answer whose write hangs, and says that it may have been done', async () => {
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
    const rows = await db.message.findMany({ where: { conversationId: reply.conversation_id }, orderBy: { position: 'asc' } })
    expect(rows.at(-1)?.content).toBe(reply.response)
  })

  it('ends a request whose conversation cannot be opened', async () => {
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

  it.each(['text', 'body'] as const)('ends a question to a model that sends a byte of its %s now and then', async (drips) => {
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

  it('passes by itself when the time is up', async () => {
    const { model, to } = await withModel({ ...chatLimits, timeMs: 300 })
    model.play([{ drips: 'body' }])
    const sent = await post(await newUser(world), { message: 'hello' }, { to })
    expect(sent.status).toBe(503)
    expect(await sent.text()).toContain('I ran out of time. Nothing was changed.')
  })
})

describe('a lease', () => {
  it('that is not renewed leaves a line in the log', async () => {
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
