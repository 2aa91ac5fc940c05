// The HTTP contract of chat and conversations, with the built-in interpreter: status, headers, problems, other users' data.
import { randomUUID } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { Conversation, ConversationPage } from '../../shared/conversations/conversations.ts'
import { Problem } from '../../shared/openapi/problems.ts'
import { answer, newUser, type TestUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { chatApp } from './app.ts'
import { ChatReply } from './contract.ts'
import { createChatDeps } from './deps.ts'

const world = testDeps()
const app = chatApp(createChatDeps(world.env, world.deps))
afterAll(() => world.deps.db.close())

const posted = (user: Pick<TestUser, 'headers'>, body: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { ...user.headers, 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})
/** Sends a message in a new conversation, unless one is named. */
const send = async (user: TestUser, message: string, conversation_id: string | null = null) =>
  answer(await app.request('/api/v1/chat', posted(user, { message, conversation_id })), ChatReply)
const show = (user: TestUser, id: string, query = '') => app.request(`/api/v1/conversations/${id}${query}`, { headers: user.headers })

describe('POST /chat', () => {
  it('answers POST /chat with the fields that clients read', async () => {
    const user = await newUser(world)
    const reply = await send(user, 'add buy milk p1')
    expect(reply).toEqual({
      success: true,
      response: 'Added “buy milk”, high priority.',
      user_id: user.id,
      conversation_id: expect.any(String),
      tool_calls: [
        {
          name: 'add_task',
          arguments: { title: 'buy milk', priority: 'high' },
          result: expect.objectContaining({ title: 'buy milk', priority: 'high', user_id: user.id }),
          is_error: false,
        },
      ],
      engine: 'rules',
    })
  })

  it('answers that the quota for open todos is used up', async () => {
    const user = await newUser(world)
    const full = chatApp({ ...createChatDeps(world.env, world.deps), quotas: { openTodos: 1, conversations: 5 } })
    const say = async (message: string) => answer(await full.request('/api/v1/chat', posted(user, { message })), ChatReply)
    await say('add buy milk')
    expect(await say('add buy bread')).toMatchObject({
      response: 'I could not do that: You have 1 open todos, which is the limit. Complete or delete some first.',
    })
  })

  it('answers 429 with Retry-After from the 31st message of a minute on, and stores nothing', async () => {
    const user = await newUser(world)
    const app = chatApp({ ...createChatDeps(world.env, world.deps), quotas: { openTodos: 1, conversations: 100 } })
    const say = (accept: string) => app.request('/api/v1/chat', posted(user, { message: 'hello', conversation_id: null }, { accept }))
    const statuses = await Promise.all(Array.from({ length: 35 }, async () => (await say('application/json')).status))
    expect(statuses.filter((status) => status === 200)).toHaveLength(30)
    const refused = await say('text/event-stream')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await answer(refused, Problem)).toMatchObject({ detail: expect.stringMatching(/^You may have 30 chat messages a minute\./) })
    expect(await (await world.deps.db.prisma()).conversation.count({ where: { userId: user.id } })).toBe(30)
  })

  it('answers 429 when the quota for conversations is used up, streaming or not', async () => {
    const user = await newUser(world)
    const full = chatApp({ ...createChatDeps(world.env, world.deps), quotas: { openTodos: 1, conversations: 1 } })
    const { conversation_id } = await answer(await full.request('/api/v1/chat', posted(user, { message: 'hello' })), ChatReply)
    for (const accept of ['application/json', 'text/event-stream']) {
      const refused = await full.request('/api/v1/chat', posted(user, { message: 'hello', conversation_id: null }, { accept }))
      expect(refused.status).toBe(429)
      expect(await answer(refused, Problem)).toMatchObject({
        detail: expect.stringMatching(/^You have 1 conversations, which is the limit\./),
      })
    }
    expect((await full.request('/api/v1/chat', posted(user, { message: 'hello', conversation_id }))).status).toBe(200)
  })

  it('streams the interpreter’s answer as UI message parts', async () => {
    const user = await newUser(world)
    const sent = await app.request('/api/v1/chat', posted(user, { message: 'add buy milk' }, { accept: 'text/event-stream' }))
    expect(sent.status).toBe(200)
    const types = (await sent.text()).split('\n\n').flatMap((line) => /"type":"([\w-]+)"/.exec(line)?.[1] ?? [])
    expect(types).toEqual(['start', 'tool-input-available', 'tool-output-available', 'text-start', 'text-delta', 'text-end', 'finish'])
  })

  it.each([
    ['no message', {}],
    ['an empty message', { message: '  ' }],
    ['a long message', { message: 'x'.repeat(4001) }],
    ['NUL', { message: 'a\0b' }],
    ['a conversation that is no id', { message: 'x', conversation_id: 'mine' }],
    ['a user id', { message: 'x', user_id: uuidv7() }],
  ])('refuses %s', async (_, body) => {
    expect((await app.request('/api/v1/chat', posted(await newUser(world), body))).status).toBe(422)
  })

  it('answers 422 to an unknown time zone and 401 without a token', async () => {
    const user = await newUser(world)
    expect((await app.request('/api/v1/chat', posted(user, { message: 'x' }, { 'x-time-zone': 'Mars/Olympus' }))).status).toBe(422)
    const nobody = { headers: { authorization: '' } }
    for (const accept of ['application/json', 'text/event-stream'])
      expect((await app.request('/api/v1/chat', posted(nobody, { message: 'x' }, { accept }))).status).toBe(401)
  })

  it('uses the time zone of the latest todo that has one when the request names none', async () => {
    const user = await newUser(world)
    await (await world.deps.db.prisma()).todo.create({ data: { id: uuidv7(), userId: user.id, title: 'x', timeZone: 'Asia/Tokyo' } })
    const reply = await send(user, 'add call tomorrow at 9am')
    expect(reply.tool_calls[0]?.arguments).toMatchObject({ due_time: '09:00', time_zone: 'Asia/Tokyo' })
  })

  it('answers a write with a read-only token that it may only read', async () => {
    const user = await newUser(world)
    const actor = await world.deps.verifyToken(user.token)
    const readOnly = chatApp({ ...createChatDeps(world.env, world.deps), verifyToken: async () => ({ ...actor, readOnly: true }) })
    const reply = await answer(await readOnly.request('/api/v1/chat', posted(user, { message: 'add milk' })), ChatReply)
    expect(reply.response).toContain('may only read')
    expect(await (await world.deps.db.prisma()).todo.count({ where: { userId: user.id } })).toBe(0)
    expect(
      (await readOnly.request(`/api/v1/conversations/${reply.conversation_id}`, { method: 'DELETE', headers: user.headers })).status,
    ).toBe(403)
  })
})

describe('conversations', () => {
  it('lists conversations in pages, latest first, and their messages in pages, oldest first', async () => {
    const user = await newUser(world)
    const ids: string[] = []
    for (const title of ['first', 'second', 'third']) ids.unshift((await send(user, `add ${title}`)).conversation_id)
    await send(user, 'help', ids[2])
    const [third, second, first] = ids
    const page = async (cursor = '') =>
      answer(
        await app.request(`/api/v1/conversations?limit=2${cursor && `&cursor=${cursor}`}`, { headers: user.headers }),
        ConversationPage,
      )
    const one = await page()
    expect(one.conversations.map(({ id, title }) => [id, title])).toEqual([
      [first, 'add first'],
      [third, 'add third'],
    ])
    const two = await page(one.next_cursor ?? '')
    expect(two).toMatchObject({ conversations: [{ id: second }], count: 1, next_cursor: null })

    const messages: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const shown: Response = await show(user, first ?? '', `?limit=2${cursor && `&cursor=${cursor}`}`)
      const part = await answer(shown, Conversation)
      messages.push(...part.messages.map(({ role }) => role))
      cursor = part.next_cursor
    }
    expect(messages).toEqual(['user', 'assistant', 'assistant', 'user', 'assistant'])
    expect((await show(user, first ?? '', '?cursor=nonsense')).status).toBe(422)
  })

  it('answers 404 to every request for another user’s conversation', async () => {
    const [ada, eve] = [await newUser(world), await newUser(world)]
    const { conversation_id: id } = await send(ada, 'add a secret')
    const address = `/api/v1/conversations/${id}`
    for (const asked of [
      app.request(address, { headers: eve.headers }),
      app.request(address, { method: 'DELETE', headers: eve.headers }),
      app.request('/api/v1/chat', posted(eve, { message: 'show my tasks', conversation_id: id })),
      app.request('/api/v1/chat', posted(eve, { message: 'show my tasks', conversation_id: id }, { accept: 'text/event-stream' })),
      app.request(`/api/v1/conversations/${randomUUID()}`, { headers: ada.headers }),
    ])
      expect((await asked).status).toBe(404)
    expect(await (await app.request('/api/v1/conversations', { headers: eve.headers })).json()).toMatchObject({ count: 0 })
    expect((await answer(await show(ada, id), Conversation)).count).toBe(3)
  })

  it('deletes a conversation with its messages and keeps the todos', async () => {
    const user = await newUser(world)
    const { conversation_id: id } = await send(user, 'add milk')
    const gone = await app.request(`/api/v1/conversations/${id}`, { method: 'DELETE', headers: user.headers })
    expect(await gone.json()).toEqual({ success: true, message: 'Conversation deleted successfully' })
    expect((await show(user, id)).status).toBe(404)
    expect(await (await world.deps.db.prisma()).message.count({ where: { conversationId: id } })).toBe(0)
    expect(await (await world.deps.db.prisma()).todo.count({ where: { userId: user.id } })).toBe(1)
  })

  it('handles one message of a conversation at a time over several replicas', async () => {
    const user = await newUser(world)
    const { conversation_id: id } = await send(user, 'add zero')
    const replicas = await Promise.all([startFunction('chat', testEnvironment()), startFunction('chat', testEnvironment())])
    const words = ['one', 'two', 'three', 'four', 'five', 'six']
    const sent = words.map(async (word, index) => {
      const url = replicas[index % replicas.length]?.url
      const response = await fetch(`${url}/api/v1/chat`, posted(user, { message: `add ${word}`, conversation_id: id }))
      return answer(response, ChatReply)
    })
    for (const reply of await Promise.all(sent)) expect(reply.conversation_id).toBe(id)
    const { messages } = await answer(await show(user, id, '?limit=200'), Conversation)
    const exchanges = messages.map(({ role, tool_calls }) => (tool_calls.length > 0 ? 'call' : role)).join(' ')
    expect(exchanges).toBe(Array(7).fill('user call assistant').join(' '))
    for (const [index, { role, content }] of messages.entries()) {
      if (role === 'user') expect(messages[index + 2]?.content).toBe(`Added “${content.replace('add ', '')}”.`)
    }
    // A replica resolves "it" to a todo that another replica has shown.
    const listed = await fetch(`${replicas[0]?.url}/api/v1/chat`, posted(user, { message: 'show my tasks', conversation_id: id }))
    const first = /1\. (\w+)/.exec((await answer(listed, ChatReply)).response)?.[1]
    const done = await fetch(`${replicas[1]?.url}/api/v1/chat`, posted(user, { message: 'complete the first one', conversation_id: id }))
    expect((await answer(done, ChatReply)).response).toBe(`Completed “${first}”.`)
    await Promise.all(replicas.map((replica) => replica.stop()))
  })

  it('frees a conversation when the lease of a crashed replica expires, and fences that replica off', async () => {
    const user = await newUser(world)
    const { conversation_id: id } = await send(user, 'add zero')
    const { db } = world.deps
    await (await db.prisma()).conversation.update({ where: { id }, data: { leaseId: uuidv7(), leaseUntil: new Date(Date.now() + 600) } })
    expect((await send(user, 'add one', id)).response).toBe('Added “one”.')
  })
})

it('imports neither the OpenAI SDK nor chrono before first use', async () => {
  const { readFile } = await import('node:fs/promises')
  const files = ['app', 'model', 'deps', 'answer', 'rules/dates'].map((name) => `${import.meta.dirname}/${name}.ts`)
  const sources = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  for (const source of sources) expect(source).not.toMatch(/^import (?!type).*'(?:openai|chrono-node)/m)
})
