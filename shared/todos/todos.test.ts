import { afterAll, describe, expect, it } from 'vitest'
import type { UserContext } from '../core/context.ts'
import { contextOf, newUser, testDeps } from '../testing/context.ts'
import { CreateTodo, UpdateTodo } from './schema.ts'
import { completeTodo, createTodo, deleteTodo, getTodo, listTodos, updateTodo } from './todos.ts'

const world = testDeps({ DATABASE_POOL_SIZE: '8' })
afterAll(() => world.deps.db.close())

const NEVER = '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10'
const NOON = '2027-01-10T12:00:00.000Z'
const full = {
  title: 'Buy milk',
  description: 'two litres',
  priority: 'high' as const,
  tags: ['shopping', 'home'],
  due_date: '2027-01-15',
  due_time: '09:30',
  time_zone: 'Europe/Berlin',
}

/** A user of their own, whose clock stands still until it is set. */
async function newOwner(begin = NOON) {
  let now = new Date(begin)
  const user = await newUser(world)
  const ctx = contextOf(world.deps, user, () => now)
  return {
    ctx,
    set: (time: string) => {
      now = new Date(time)
    },
    create: (input: unknown) => createTodo(ctx, CreateTodo.parse(input)),
    update: (todo_id: string, changes: object) => updateTodo(ctx, UpdateTodo.parse({ todo_id, ...changes })),
  }
}

const readOnly = (ctx: UserContext): UserContext => ({ ...ctx, actor: { ...ctx.actor, readOnly: true } })

describe('createTodo', () => {
  it('keeps every field and answers with what getTodo shows', async () => {
    const { ctx, create } = await newOwner()
    const todo = await create({ ...full, title: '  Buy milk\n', completed: true })
    expect(todo).toEqual({
      ...full,
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
      user_id: ctx.actor.userId,
      completed: true,
      completed_at: NOON,
      created_at: NOON,
      updated_at: NOON,
    })
    expect(await getTodo(ctx, { todo_id: todo.id })).toEqual(todo)
  })

  it('needs nothing but a title', async () => {
    const { create } = await newOwner()
    const empty = { description: null, completed: false, completed_at: null, priority: null, tags: [] }
    const undated = { due_date: null, due_time: null, time_zone: null }
    expect(await create({ title: 'x' })).toMatchObject({ title: 'x', ...empty, ...undated })
    expect(await create({ title: 'x', description: null, priority: null, tags: null, ...undated })).toMatchObject({ ...empty, ...undated })
  })

  it('drops tags that are there already, in the order they came', async () => {
    const { create } = await newOwner()
    expect((await create({ title: 'x', tags: ['b', ' a ', 'b', 'B', 'a'] })).tags).toEqual(['b', 'a', 'B'])
  })

  it('refuses a due_time without a due_date', async () => {
    const { ctx, create } = await newOwner()
    const refusal = { kind: 'invalid', issues: [{ pointer: '/due_time' }] }
    await expect(create({ title: 'x', due_time: '09:30' })).rejects.toMatchObject(refusal)
    await expect(create({ title: 'x', due_time: '09:30', due_date: null })).rejects.toMatchObject(refusal)
    expect((await listTodos(ctx, { sort: 'created', limit: 1 })).count).toBe(0)
  })

  it('keeps the first and the last day that can be written', async () => {
    const { create } = await newOwner()
    for (const due_date of ['0001-01-01', '0999-12-31', '9999-12-31']) {
      expect(await create({ title: 'x', due_date, due_time: '23:59' })).toMatchObject({ due_date, due_time: '23:59' })
    }
    for (const due_date of ['0000-12-31', '2026-02-29', '10000-01-01', '2026-1-1', 'infinity', '2026-01-01T00:00:00Z']) {
      await expect(async () => create({ title: 'x', due_date })).rejects.toThrow()
    }
  })

  it("gives a foreign issuer's user their row, however many first todos come at once", async () => {
    const id = `foreign-${NEVER}-${Math.random()}`
    const local = contextOf(world.deps, { id, email: 'someone@example.org' })
    await expect(createTodo(local, { title: 'x' })).rejects.toMatchObject({ kind: 'unauthenticated' })
    const foreign = { ...local, actor: { ...local.actor, issuer: 'https://id.example.org' } }
    await Promise.all([1, 2, 3, 4].map((n) => createTodo(foreign, { title: `${n}` })))
    expect((await listTodos(foreign, { sort: 'created', limit: 10 })).count).toBe(4)
  })
})

describe('updateTodo', () => {
  it('changes what is sent, leaves what is not, and clears by null', async () => {
    const { create, update, set } = await newOwner()
    const created = await create(full)
    set('2027-01-11T12:00:00.000Z')
    const updated_at = expect.any(String)
    let expected = { ...created, updated_at }
    for (const change of [
      { title: 'Buy oat milk' },
      { description: null },
      { priority: 'low' },
      { priority: null },
      { tags: ['x', 'x'] },
      { tags: null },
      { time_zone: null },
      { due_time: null },
      { due_date: null },
      { due_date: '2028-02-29', due_time: '00:00' },
      { due_date: null, due_time: null, description: '' },
    ] as const) {
      const cleared = 'tags' in change ? { tags: change.tags === null ? [] : ['x'] } : {}
      expected = { ...expected, ...change, ...cleared } as typeof expected
      expect(await update(created.id, change)).toEqual(expected)
    }
  })

  it('moves updated_at when something changed, and only then', async () => {
    const { ctx, create, update, set } = await newOwner()
    const created = await create(full)
    set('2027-01-11T12:00:00.000Z')
    const { title, description, priority, tags, due_date, due_time, time_zone } = created
    for (const same of [{}, { title }, { title: ` ${title} ` }, { description, priority, tags, due_date, due_time, time_zone }]) {
      expect(await update(created.id, { ...same, completed: false })).toEqual(created)
      expect(await update(created.id, same)).toEqual(created)
    }
    expect(await completeTodo(ctx, { todo_id: created.id, completed: false })).toEqual(created)
    const changed = await update(created.id, { tags: ['home', 'shopping'] })
    expect(changed.updated_at).toBe('2027-01-11T12:00:00.000Z')
    expect(await update(created.id, { tags: ['home', 'shopping', 'home'] })).toEqual(changed)
  })

  it('moves updated_at forward within a millisecond, with a clock that stands and with one that goes back', async () => {
    const { create, update, set } = await newOwner()
    const { id } = await create({ title: 'x' })
    expect((await update(id, { title: 'a' })).updated_at).toBe('2027-01-10T12:00:00.001Z')
    expect((await update(id, { title: 'b' })).updated_at).toBe('2027-01-10T12:00:00.002Z')
    set('2020-01-01T00:00:00.000Z')
    expect((await update(id, { title: 'c' })).updated_at).toBe('2027-01-10T12:00:00.003Z')
    expect((await update(id, { title: 'c' })).updated_at).toBe('2027-01-10T12:00:00.003Z')
    set('2027-01-10T12:00:00.500Z')
    expect((await update(id, { title: 'd' })).updated_at).toBe('2027-01-10T12:00:00.500Z')
  })

  it('gives each of many parallel changes an updated_at of its own', async () => {
    const { create, update } = await newOwner()
    const { id } = await create({ title: 'x' })
    const changed = await Promise.all(Array.from({ length: 30 }, (_, n) => update(id, { title: `${n}` })))
    expect(new Set(changed.map(({ updated_at }) => updated_at)).size).toBe(30)
  })

  it('refuses to part a due_time from its due_date, also in parallel, and then changes nothing', async () => {
    const { ctx, create, update } = await newOwner()
    const refusal = { kind: 'invalid', issues: [{ pointer: '/due_time' }] }
    const dated = await create(full)
    await expect(update(dated.id, { due_date: null, title: 'lost' })).rejects.toMatchObject(refusal)
    expect(await getTodo(ctx, { todo_id: dated.id })).toEqual(dated)
    const undated = await create({ title: 'x' })
    await expect(update(undated.id, { due_time: '09:30' })).rejects.toMatchObject(refusal)

    for (let round = 0; round < 10; round++) {
      const { id } = await create({ title: 'x', due_date: '2027-01-15' })
      const both = await Promise.allSettled([update(id, { due_time: '09:30' }), update(id, { due_date: null })])
      expect(both.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: refusal }])
    }
  })
})

describe('completeTodo', () => {
  it('completes, keeps the moment when completed again, and reopens', async () => {
    const { ctx, create, update, set } = await newOwner()
    const { id: todo_id } = await create({ title: 'x' })
    set('2027-01-11T12:00:00.000Z')
    const completed = await completeTodo(ctx, { todo_id, completed: true })
    const moment = '2027-01-11T12:00:00.000Z'
    expect(completed).toMatchObject({ completed: true, completed_at: moment, updated_at: moment })
    set('2027-01-12T12:00:00.000Z')
    expect(await completeTodo(ctx, { todo_id, completed: true })).toEqual(completed)
    expect(await update(todo_id, { completed: true })).toEqual(completed)
    expect(await completeTodo(ctx, { todo_id, completed: false })).toMatchObject({ completed: false, completed_at: null })
    expect(await update(todo_id, { completed: true })).toMatchObject({ completed_at: '2027-01-12T12:00:00.000Z' })
  })

  it('toggles, and N at once end where N in a row end', async () => {
    const { ctx, create } = await newOwner()
    const { id: todo_id } = await create({ title: 'x' })
    expect(await completeTodo(ctx, { todo_id })).toMatchObject({ completed: true, completed_at: NOON })
    expect(await completeTodo(ctx, { todo_id })).toMatchObject({ completed: false, completed_at: null })
    for (const [toggles, completed] of [
      [50, false],
      [49, true],
    ] as const) {
      const answers = await Promise.all(Array.from({ length: toggles }, () => completeTodo(ctx, { todo_id })))
      expect(answers.filter((todo) => todo.completed)).toHaveLength(Math.ceil(toggles / 2))
      expect(await getTodo(ctx, { todo_id })).toMatchObject({ completed })
    }
  })
})

describe('deleteTodo', () => {
  it('deletes one todo, once', async () => {
    const { ctx, create } = await newOwner()
    const [{ id: todo_id }, other] = [await create({ title: 'x' }), await create({ title: 'y' })]
    expect(await deleteTodo(ctx, { todo_id })).toEqual({ success: true, message: 'Todo deleted successfully' })
    await expect(deleteTodo(ctx, { todo_id })).rejects.toMatchObject({ kind: 'not_found' })
    expect((await listTodos(ctx, { sort: 'created', limit: 10 })).todos).toEqual([other])
  })
})

describe('a todo of another user, or one that never existed', () => {
  const calls: Record<string, (ctx: UserContext, todo_id: string) => Promise<unknown>> = {
    getTodo: (ctx, todo_id) => getTodo(ctx, { todo_id }),
    'updateTodo with changes': (ctx, todo_id) => updateTodo(ctx, { todo_id, title: 'mine' }),
    'updateTodo without changes': (ctx, todo_id) => updateTodo(ctx, { todo_id }),
    'updateTodo that would be refused': (ctx, todo_id) => updateTodo(ctx, { todo_id, due_date: null }),
    'completeTodo that sets': (ctx, todo_id) => completeTodo(ctx, { todo_id, completed: true }),
    'completeTodo that toggles': (ctx, todo_id) => completeTodo(ctx, { todo_id }),
    deleteTodo: (ctx, todo_id) => deleteTodo(ctx, { todo_id }),
  }
  it.each(Object.entries(calls))('%s finds nothing and changes nothing', async (_, call) => {
    const [theirs, mine] = [await newOwner(), await newOwner()]
    const todo = await theirs.create(full)
    const seen = await Promise.allSettled([call(mine.ctx, todo.id), call(mine.ctx, NEVER)])
    expect(seen).toMatchObject([{ reason: { kind: 'not_found' } }, { reason: { kind: 'not_found' } }])
    const [one, other] = seen.map((result) => result.status === 'rejected' && result.reason.message)
    expect(one).toBe(other)
    expect(await getTodo(theirs.ctx, { todo_id: todo.id })).toEqual(todo)
    expect((await listTodos(mine.ctx, { sort: 'created', limit: 10 })).count).toBe(0)
  })
})

describe('a read-only actor', () => {
  it('sees, and changes nothing', async () => {
    const { ctx, create } = await newOwner()
    const todo = await create(full)
    const viewer = readOnly(ctx)
    expect(await getTodo(viewer, { todo_id: todo.id })).toEqual(todo)
    expect((await listTodos(viewer, { sort: 'created', limit: 10 })).todos).toEqual([todo])
    const writes = [
      createTodo(viewer, { title: 'x' }),
      updateTodo(viewer, { todo_id: todo.id, title: 'x' }),
      updateTodo(viewer, { todo_id: todo.id }),
      completeTodo(viewer, { todo_id: todo.id }),
      deleteTodo(viewer, { todo_id: todo.id }),
    ]
    for (const result of await Promise.allSettled(writes)) expect(result).toMatchObject({ reason: { kind: 'forbidden' } })
    expect((await listTodos(ctx, { sort: 'created', limit: 10 })).todos).toEqual([todo])
  })
})
