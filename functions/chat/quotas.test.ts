// Quotas over the real triggers: counts are exact for parallel changes of every kind.

import { sql } from '@todo/prisma'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { deleteConversation } from '../../shared/conversations/conversations.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { contextOf, newUser, testDeps } from '../../shared/testing/context.ts'
import { completeTodo, createTodo, deleteTodo, updateTodo } from '../../shared/todos/todos.ts'
import { createDeadline } from './deadline.ts'
import { chatLimits } from './limits.ts'
import { openTurn } from './turn.ts'

const world = testDeps({ DATABASE_POOL_SIZE: '10' })
const { db } = world.deps
afterAll(() => db.close())

const REFUSED = { kind: 'throttled', message: 'You have 10 open todos, which is the limit. Complete or delete some first.' }

const newOwner = async (quotas = { openTodos: 10, conversations: 5 }): Promise<UserContext> => ({
  ...contextOf(world.deps, await newUser(world)),
  quotas,
})
const add = (ctx: UserContext, fields: object = {}) => createTodo(ctx, { title: 'Buy milk', ...fields })
const calm = new AbortController()
async function begin(ctx: UserContext) {
  const question = { message: 'hello', place: { type: 'new' as const }, messageId: undefined }
  const turn = await openTurn({ log: world.deps.log, limits: chatLimits }, ctx, question, createDeadline(chatLimits, calm))
  return turn.type === 'open' ? turn.journal : expect.fail('the message was answered before')
}

/** What the counter has, and what the tables have. */
async function counts({ actor: { userId } }: UserContext) {
  const [row] = await db.query(
    sql`
    SELECT ARRAY[COALESCE(open_todos, 0), COALESCE(counter.conversations, 0)] AS counted, ARRAY[
      (SELECT count(*) FROM todos WHERE user_id = users.id AND completed_at IS NULL),
      (SELECT count(*) FROM conversations WHERE user_id = users.id)]::int[] AS there
    FROM users LEFT JOIN user_counters AS counter ON user_id = id WHERE id = ${userId}`,
    z.object({ counted: z.array(z.int()), there: z.array(z.int()) }),
  )
  expect(row?.counted).toEqual(row?.there)
  return row?.counted
}

const settled = async (runs: Promise<unknown>[]) => {
  const results = await Promise.allSettled(runs)
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  return { passed: results.length - reasons.length, reasons }
}

describe('the quota for open todos', () => {
  it('lets exactly as many of 50 creates at once pass as there is room for', async () => {
    const ctx = await newOwner()
    await Promise.all([add(ctx), add(ctx), add(ctx)])
    const { passed, reasons } = await settled(Array.from({ length: 50 }, () => add(ctx)))
    expect(passed).toBe(7)
    for (const reason of reasons) expect(reason).toMatchObject(REFUSED)
    expect(await counts(ctx)).toEqual([10, 0])
  })

  it('counts completing, reopening, adding completed ones and deleting', async () => {
    const ctx = await newOwner()
    const todos = []
    for (let n = 0; n < 10; n++) todos.push(await add(ctx))
    const [first, second, third] = todos.map(({ id }) => id)
    if (!first || !second || !third) throw new Error('there are none')
    await expect(add(ctx)).rejects.toMatchObject(REFUSED)
    const done = await add(ctx, { completed: true })
    for (const given of [{ completed: false }, {}])
      await expect(completeTodo(ctx, { todo_id: done.id, ...given })).rejects.toMatchObject(REFUSED)
    await expect(updateTodo(ctx, { todo_id: done.id, completed: false, title: 'x' })).rejects.toMatchObject(REFUSED)
    expect(await updateTodo(ctx, { todo_id: first, title: 'Other fields change all the same' })).toMatchObject({ completed: false })
    expect(await counts(ctx)).toEqual([10, 0])

    await completeTodo(ctx, { todo_id: first, completed: true })
    await completeTodo(ctx, { todo_id: first, completed: true })
    expect(await counts(ctx)).toEqual([9, 0])
    await completeTodo(ctx, { todo_id: done.id })
    await expect(add(ctx)).rejects.toMatchObject(REFUSED)
    await deleteTodo(ctx, { todo_id: second })
    await deleteTodo(ctx, { todo_id: first })
    await add(ctx)
    await updateTodo(ctx, { todo_id: third, completed: true })
    await updateTodo(ctx, { todo_id: third, completed: false })
    expect(await counts(ctx)).toEqual([10, 0])
  })

  it('lets exactly as many of 20 reopenings at once pass as there is room for', async () => {
    const ctx = await newOwner()
    const done = await Promise.all(Array.from({ length: 20 }, () => add(ctx, { completed: true })))
    const { passed } = await settled(done.map(({ id }) => completeTodo(ctx, { todo_id: id, completed: false })))
    expect(passed).toBe(10)
    expect(await counts(ctx)).toEqual([10, 0])
  })

  it('is one user’s own, and leaves those above a limit that was lowered free to end todos', async () => {
    const [full, other] = [await newOwner(), await newOwner()]
    for (let n = 0; n < 10; n++) await add(full)
    await add(other)
    const lowered = { ...full, quotas: { openTodos: 2, conversations: 1 } }
    await expect(add(lowered)).rejects.toMatchObject({ message: /^You have 2 open todos/ })
    const [todo] = await (await db.prisma()).todo.findMany({ where: { userId: full.actor.userId } })
    await completeTodo(lowered, { todo_id: todo?.id ?? '' })
    expect(await counts(full)).toEqual([9, 0])
  })

  it('writes no event for a todo that it refuses', async () => {
    const ctx = { ...(await newOwner()), delivery: { nudge() {} } }
    const events = (await db.prisma()).outboxEvent
    const { passed } = await settled(Array.from({ length: 15 }, () => add(ctx)))
    expect(passed).toBe(10)
    expect(await events.count({ where: { userId: ctx.actor.userId } })).toBe(10)
    await events.deleteMany({ where: { userId: ctx.actor.userId } })
  })

  it('keeps its count under a storm of changes, without a deadlock', async () => {
    const ctx = await newOwner({ openTodos: 1000, conversations: 5 })
    const todos = await Promise.all(Array.from({ length: 8 }, () => add(ctx)))
    const { reasons } = await settled(
      Array.from({ length: 200 }, (_, n) => {
        const todo_id = todos[n % 8]?.id ?? ''
        if (n % 5 === 4) return add(ctx).then(({ id }) => deleteTodo(ctx, { todo_id: id }))
        return n % 3 === 0 ? updateTodo(ctx, { todo_id, completed: n % 2 === 0, title: `${n}` }) : completeTodo(ctx, { todo_id })
      }),
    )
    expect(reasons).toEqual([])
    await counts(ctx)
  })

  it('counts what the release before writes, and many rows of a statement, without a limit', async () => {
    const ctx = await newOwner()
    await db.execute(sql`
      INSERT INTO todos (id, user_id, title, completed_at)
      SELECT gen_random_uuid(), ${ctx.actor.userId}, 'x', CASE WHEN n % 2 = 0 THEN now() END FROM generate_series(1, 60) AS n`)
    expect(await counts(ctx)).toEqual([30, 0])
    await db.execute(sql`UPDATE todos SET completed_at = CASE WHEN completed_at IS NULL THEN now() END WHERE user_id = ${ctx.actor.userId}`)
    expect(await counts(ctx)).toEqual([30, 0])
    await db.execute(sql`DELETE FROM todos WHERE user_id = ${ctx.actor.userId} AND completed_at IS NULL`)
    expect(await counts(ctx)).toEqual([0, 0])
  })

  it('is deleted with the account, also during writes', async () => {
    const ctx = await newOwner()
    await add(ctx)
    await begin(ctx)
    const { reasons } = await settled([
      (await db.prisma()).user.delete({ where: { id: ctx.actor.userId } }),
      ...Array.from({ length: 5 }, () => add(ctx)),
    ])
    for (const reason of reasons) expect(reason).toMatchObject({ kind: 'unauthenticated' })
    expect(await (await db.prisma()).userCounters.count({ where: { userId: ctx.actor.userId } })).toBe(0)
  })
})

describe('the quota for conversations', () => {
  it('lets exactly as many of 50 at once begin as there is room for, and gives back what is deleted', async () => {
    const ctx = await newOwner()
    const { passed, reasons } = await settled(Array.from({ length: 50 }, () => begin(ctx).then(({ close }) => close())))
    expect(passed).toBe(5)
    for (const reason of reasons) {
      expect(reason).toMatchObject({ kind: 'throttled', message: /^You have 5 conversations, which is the limit\. Delete some, or go on/ })
    }
    expect(await counts(ctx)).toEqual([0, 5])
    const [conversation] = await (await db.prisma()).conversation.findMany({ where: { userId: ctx.actor.userId } })
    await deleteConversation(ctx, { conversation_id: conversation?.id ?? '' })
    await (await begin(ctx)).close()
    expect(await counts(ctx)).toEqual([0, 5])
  })
})
