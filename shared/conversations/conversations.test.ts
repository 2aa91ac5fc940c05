import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { contextOf, newUser, testDeps } from '../testing/context.ts'
import { deleteConversation, getConversation, listConversations } from './conversations.ts'

const world = testDeps()
const { db } = world.deps
afterAll(() => db.close())

async function owner() {
  const user = await newUser(world)
  return contextOf(world.deps, user)
}
async function conversation(userId: string, updatedAt: Date, contents: string[] = []) {
  const id = uuidv7()
  const messages = contents.map((content, index) => ({ id: uuidv7(), position: index + 1, role: 'user' as const, content }))
  await (await db.prisma()).conversation.create({ data: { id, userId, updatedAt, messages: { create: messages } } })
  return id
}

describe('listConversations', () => {
  it('pages without a gap or a repetition, also among conversations of one moment', async () => {
    const ctx = await owner()
    const moment = new Date('2027-01-10T08:00:00.123Z')
    const made = []
    for (let index = 0; index < 7; index++) made.push(await conversation(ctx.actor.userId, moment))
    const seen: string[] = []
    for (let cursor: string | undefined | null; cursor !== null; ) {
      const page = await listConversations(ctx, { limit: 2, cursor })
      seen.push(...page.conversations.map(({ id }) => id))
      cursor = page.next_cursor
    }
    expect(seen).toEqual(made.toReversed())
  })

  it.each([
    'x',
    Buffer.from('{"updated_at":"0000-01-01T00:00:00Z","id":"019e1c70-11aa-7c52-9a3f-2f1d4b8e6a10"}').toString('base64url'),
    Buffer.from('{"id":"1"}').toString('base64url'),
    Buffer.from('null').toString('base64url'),
  ])('refuses the cursor %s', async (cursor) => {
    await expect(listConversations(await owner(), { limit: 2, cursor })).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('getConversation', () => {
  it('pages through messages in their order', async () => {
    const ctx = await owner()
    const conversation_id = await conversation(ctx.actor.userId, new Date(), ['a', 'b', 'c'])
    const first = await getConversation(ctx, { conversation_id, limit: 2 })
    expect(first.messages.map(({ content }) => content)).toEqual(['a', 'b'])
    const rest = await getConversation(ctx, { conversation_id, limit: 2, cursor: first.next_cursor ?? '' })
    expect(rest).toMatchObject({ messages: [{ content: 'c' }], count: 1, next_cursor: null })
  })

  it('loads with calls of any stored shape', async () => {
    const ctx = await owner()
    const conversation_id = await conversation(ctx.actor.userId, new Date(), ['a'])
    await (await db.prisma()).message.updateMany({ where: { conversationId: conversation_id }, data: { toolCalls: [{ odd: true }] } })
    expect((await getConversation(ctx, { conversation_id, limit: 2 })).messages[0]?.tool_calls).toEqual([])
  })
})

it('returns the same 404 for a conversation of another user and for one that never existed', async () => {
  const [ada, eve] = [await owner(), await owner()]
  const conversation_id = await conversation(ada.actor.userId, new Date(), ['secret'])
  const refused = { kind: 'not_found', message: 'There is no such conversation.' }
  for (const id of [conversation_id, uuidv7()]) {
    await expect(getConversation(eve, { conversation_id: id, limit: 1 })).rejects.toMatchObject(refused)
    await expect(deleteConversation(eve, { conversation_id: id })).rejects.toMatchObject(refused)
  }
  expect((await listConversations(eve, { limit: 10 })).conversations).toEqual([])
  await expect(deleteConversation(ada, { conversation_id })).resolves.toMatchObject({ success: true })
})
