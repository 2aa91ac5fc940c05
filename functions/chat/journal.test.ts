import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { recentMessages } from '../../shared/conversations/journal.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { contextOf, newUser, testDeps } from '../../shared/testing/context.ts'
import { createDeadline } from './deadline.ts'
import { chatLimits } from './limits.ts'
import { openTurn } from './turn.ts'

const world = testDeps()
const { db } = world.deps
afterAll(() => db.close())
const calm = new AbortController()

async function openJournal(ctx: UserContext, message: string, conversationId?: string, timeMs = chatLimits.timeMs) {
  const place = conversationId === undefined ? { type: 'new' as const } : { type: 'given' as const, id: conversationId }
  const deps = { log: world.deps.log, limits: chatLimits }
  const turn = await openTurn(deps, ctx, { message, place, messageId: undefined }, createDeadline({ ...chatLimits, timeMs }, calm))
  return turn.type === 'open' ? turn.journal : expect.fail('it was answered already')
}

const contents = async (ctx: UserContext, { conversationId }: { conversationId: string }) =>
  (await recentMessages(ctx, conversationId, 10)).map(({ content }) => content)

describe('a journal', () => {
  it('waits for the request that holds the lease, and gives up when its own request ends', async () => {
    const ctx = contextOf(world.deps, await newUser(world))
    const first = await openJournal(ctx, 'hello')
    await expect(openJournal(ctx, 'me too', first.conversationId, 150)).rejects.toMatchObject({ kind: 'conflict' })
    const second = openJournal(ctx, 'me too', first.conversationId)
    await first.add('assistant', { content: 'first' })
    await first.close()
    await (await second).add('assistant', { content: 'second' })
    expect(await contents(ctx, first)).toEqual(['hello', 'first', 'me too', 'second'])
    await (await second).close()
  })

  it('whose lease ran out can write no more once another has it', async () => {
    const ctx = contextOf(world.deps, await newUser(world))
    const late = await openJournal(ctx, 'hello')
    const row = await late.add('assistant', { content: 'mine' })
    await (await db.prisma()).conversation.update({ where: { id: late.conversationId }, data: { leaseUntil: new Date(0) } })
    const next = await openJournal(ctx, 'hello', late.conversationId)
    await expect(late.add('assistant', { content: 'too late' })).rejects.toMatchObject({ kind: 'conflict' })
    await expect(late.fill(row, { content: 'changed' })).rejects.toMatchObject({ kind: 'conflict' })
    await late.close()
    await next.add('assistant', { content: 'still mine' })
    expect(await contents(ctx, next)).toEqual(['hello', 'mine', 'hello', 'still mine'])
    await next.close()
  })

  it('stores any text of a model', async () => {
    const ctx = contextOf(world.deps, await newUser(world))
    const journal = await openJournal(ctx, 'a\nb')
    const odd = { 'k\0': 'nul \0 and \ud800', __proto__x: [{ deep: '\0' }] }
    await journal.add('assistant', {
      content: 'nul \0 and \ud800',
      calls: [{ id: 'c', name: 'x', arguments: odd, result: null, is_error: true, settled: true }],
    })
    const [message] = await recentMessages(ctx, journal.conversationId, 1)
    expect(message).toMatchObject({ content: 'nul  and \ufffd', calls: [{ arguments: { k: 'nul  and \ufffd' } }] })
    await journal.close()
  })

  it("gives a foreign issuer's user their row with their first message", async () => {
    const ctx = contextOf(world.deps, { id: `foreign-${uuidv7()}x`, email: 'x@example.com' })
    const foreign = { ...ctx, actor: { ...ctx.actor, issuer: 'https://app.example.com' } }
    const journal = await openJournal(foreign, 'hello')
    expect(await (await db.prisma()).user.count({ where: { id: ctx.actor.userId } })).toBe(1)
    await journal.close()
  })
})
