import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { contextOf, newUser, testDeps } from '../../shared/testing.ts'
import { openJournal } from './journal.ts'

const world = testDeps()
const { db } = world.deps
afterAll(() => db.$disconnect())
const calm = new AbortController().signal

describe('a journal', () => {
  it('waits for whoever writes already, and gives up when the request does', async () => {
    const ctx = contextOf(world.deps, await newUser(world))
    const first = await openJournal(ctx, 'hello', undefined, calm)
    await expect(openJournal(ctx, 'me too', first.conversationId, AbortSignal.timeout(150))).rejects.toMatchObject({ kind: 'conflict' })
    const second = openJournal(ctx, 'me too', first.conversationId, calm)
    await first.add('user', { content: 'first' })
    await first.close()
    await (await second).add('user', { content: 'second' })
    expect((await (await second).recent(10)).map(({ content }) => content)).toEqual(['first', 'second'])
    await (await second).close()
  })

  it('whose lease ran out can write no more once another has it', async () => {
    const ctx = contextOf(world.deps, await newUser(world))
    const late = await openJournal(ctx, 'hello', undefined, calm)
    const row = await late.add('user', { content: 'mine' })
    await db.conversation.update({ where: { id: late.conversationId }, data: { leaseUntil: new Date(0) } })
    const next = await openJournal(ctx, 'hello', late.conversationId, calm)
    await expect(late.add('assistant', { content: 'too late' })).rejects.toMatchObject({ kind: 'conflict' })
    await expect(late.fill(row, { content: 'changed' })).rejects.toMatchObject({ kind: 'conflict' })
    await late.close()
    await next.add('assistant', { content: 'still mine' })
    expect((await next.recent(10)).map(({ content }) => content)).toEqual(['mine', 'still mine'])
    await next.close()
  })

  it('holds whatever a model says', async () => {
    const ctx = contextOf(world.deps, await newUser(world))
    const journal = await openJournal(ctx, 'a\nb', undefined, calm)
    const odd = { 'k\0': 'nul \0 and \ud800', __proto__x: [{ deep: '\0' }] }
    await journal.add('assistant', {
      content: 'nul \0 and \ud800',
      calls: [{ id: 'c', name: 'x', arguments: odd, result: null, is_error: true, settled: true }],
    })
    const [message] = await journal.recent(1)
    expect(message).toMatchObject({ content: 'nul  and \ufffd', calls: [{ arguments: { k: 'nul  and \ufffd' } }] })
    await journal.close()
  })

  it("gives a foreign issuer's user their row with their first message", async () => {
    const ctx = contextOf(world.deps, { id: `foreign-${uuidv7()}x`, email: 'x@example.com' })
    const foreign = { ...ctx, actor: { ...ctx.actor, issuer: 'https://app.example.com' } }
    const journal = await openJournal(foreign, 'hello', undefined, calm)
    expect(await db.user.count({ where: { id: ctx.actor.userId } })).toBe(1)
    await journal.close()
  })
})
