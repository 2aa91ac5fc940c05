import { afterAll, describe, expect, it } from 'vitest'
import type { UserContext } from '../core/context.ts'
import { contextOf, newUser, testDeps } from '../testing/context.ts'
import { todoEvents } from './events.ts'
import { CreateTodo } from './schema.ts'
import { completeTodo, createTodo, deleteTodo, updateTodo } from './todos.ts'

// No delivery reads this database's outbox, so it shows every event.
const world = testDeps({ DATABASE_POOL_SIZE: '8' })
afterAll(() => world.deps.db.close())

const NOON = new Date('2027-01-10T12:00:00.000Z')
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** A user whose changes write events, and the events so far. */
async function newTeller() {
  let nudges = 0
  const ctx: UserContext = {
    ...contextOf(world.deps, await newUser(world), () => NOON),
    delivery: { nudge: () => nudges++ },
    traceparent: TRACEPARENT,
  }
  const rows = async () =>
    (await world.deps.db.prisma()).outboxEvent.findMany({ where: { userId: ctx.actor.userId }, orderBy: { sequence: 'asc' } })
  const told = async () => (await rows()).map(({ type, data }) => ({ type, data: parsed(type, data) }))
  const create = (input: unknown = { title: 'Buy milk' }) => createTodo(ctx, CreateTodo.parse(input))
  return { ctx, rows, told, create, nudges: () => nudges }
}

/** The data of an event, as its published schema has it. */
const schemas = new Map(Object.entries(todoEvents).map(([type, spec]) => [type, spec.data]))
const parsed = (type: string, data: unknown) => schemas.get(type)?.parse(data) ?? expect.unreachable(`there is no ${type}`)
const changedIn = async ({ told }: Awaited<ReturnType<typeof newTeller>>) =>
  (await told()).map(({ type, data }) => [type, 'changed' in data ? data.changed : null])

describe('a change writes an event with', () => {
  it('the added todo', async () => {
    const { ctx, create, rows, nudges } = await newTeller()
    const todo = await create({
      title: 'Buy „milk"',
      priority: 'high',
      tags: ['a', 'b'],
      due_date: '2027-01-15',
      due_time: '09:30',
      completed: true,
    })
    expect(await rows()).toMatchObject([
      {
        type: 'todo.created',
        subject: todo.id,
        userId: ctx.actor.userId,
        data: todo,
        traceparent: TRACEPARENT,
        attempts: 0,
        deadAt: null,
        createdAt: NOON,
      },
    ])
    expect(nudges()).toBe(1)
  })

  it('what is different, and what it came to', async () => {
    const teller = await newTeller()
    const { ctx, create, told } = teller
    const { id: todo_id } = await create()
    const updated = await updateTodo(ctx, { todo_id, title: 'Buy oat milk', priority: null, tags: ['shopping'], due_date: '2027-01-15' })
    const completed = await updateTodo(ctx, { todo_id, completed: true, tags: [] })
    const reopened = await completeTodo(ctx, { todo_id })
    const done = await completeTodo(ctx, { todo_id, completed: true })
    expect((await told()).slice(1).map(({ data }) => data)).toMatchObject([updated, completed, reopened, done])
    expect(await changedIn(teller)).toEqual([
      ['todo.created', null],
      ['todo.updated', ['due_date', 'tags', 'title']],
      ['todo.completed', ['completed', 'completed_at', 'tags']],
      ['todo.uncompleted', ['completed', 'completed_at']],
      ['todo.completed', ['completed', 'completed_at']],
    ])
  })

  it('the deleted todo in its last state', async () => {
    const { ctx, create, told } = await newTeller()
    const todo = await create()
    await deleteTodo(ctx, { todo_id: todo.id })
    expect((await told()).at(-1)).toEqual({ type: 'todo.deleted', data: todo })
  })
})

describe('no event is written', () => {
  it('of a change that changes nothing', async () => {
    const { ctx, create, told } = await newTeller()
    const { id: todo_id } = await create({ title: 'Buy milk', tags: ['a'], completed: true })
    await updateTodo(ctx, { todo_id })
    await updateTodo(ctx, { todo_id, title: 'Buy milk', tags: ['a', 'a'], completed: true, due_date: null })
    await completeTodo(ctx, { todo_id, completed: true })
    expect(await told()).toHaveLength(1)
  })

  it('for a todo that is refused, missing, or of another user', async () => {
    const { ctx, create, told, nudges } = await newTeller()
    const other = await newTeller()
    const { id: todo_id } = await create()
    await expect(create({ title: 'x', due_time: '09:30' })).rejects.toThrow('A due_time needs a due_date')
    await expect(updateTodo(ctx, { todo_id, due_time: '09:30' })).rejects.toThrow('A due_time needs a due_date')
    await expect(updateTodo(other.ctx, { todo_id, title: 'Mine' })).rejects.toThrow('There is no such todo.')
    for (const change of [completeTodo, deleteTodo]) {
      await expect(change(other.ctx, { todo_id })).rejects.toThrow('There is no such todo.')
      await expect(change({ ...ctx, actor: { ...ctx.actor, readOnly: true } }, { todo_id })).rejects.toThrow('may only read')
    }
    expect(await told()).toHaveLength(1)
    expect(await other.told()).toEqual([])
    expect([nudges(), other.nudges()]).toEqual([1, 0])
  })

  it('without a delivery', async () => {
    const { ctx, rows } = await newTeller()
    const silent = { ...ctx, delivery: undefined }
    const { id: todo_id } = await createTodo(silent, { title: 'Quiet' })
    await updateTodo(silent, { todo_id, title: 'Quieter' })
    await deleteTodo(silent, { todo_id })
    expect(await rows()).toEqual([])
  })

  it('of a change whose event cannot be written: neither is made', async () => {
    const { ctx, create, told } = await newTeller()
    const { id: todo_id } = await create()
    const broken = { ...ctx, traceparent: '\u0000' }
    await expect(updateTodo(broken, { todo_id, title: 'Lost' })).rejects.toThrow()
    await expect(deleteTodo(broken, { todo_id })).rejects.toThrow()
    expect(await (await world.deps.db.prisma()).todo.findMany({ where: { userId: ctx.actor.userId } })).toMatchObject([
      { title: 'Buy milk' },
    ])
    expect(await told()).toHaveLength(1)
  })
})

it('parallel changes of one todo write one event each, in their order', async () => {
  const { ctx, create, told } = await newTeller()
  const { id: todo_id } = await create()
  const changes = Array.from({ length: 40 }, (_, n) =>
    n % 4 === 3 ? updateTodo(ctx, { todo_id, title: `Title ${n}`, completed: n % 8 === 3 }) : completeTodo(ctx, { todo_id }),
  )
  await Promise.all(changes)
  await deleteTodo(ctx, { todo_id })
  const [created, ...later] = await told()
  let before = created?.data
  for (const { type, data } of later) {
    const { changed, ...todo } = unfolded(data)
    const { changed: _, ...was } = unfolded(before)
    // Each begins where the one before ended: what it names is different, and what it does not name is not.
    const differing = Object.keys(todo).filter((name) => JSON.stringify(todo[name]) !== JSON.stringify(was[name]) && name !== 'updated_at')
    expect(differing.sort()).toEqual(changed)
    const flipped = todo.completed ? 'todo.completed' : 'todo.uncompleted'
    expect(type).toBe(differing.length === 0 ? 'todo.deleted' : todo.completed === was.completed ? 'todo.updated' : flipped)
    before = data
  }
  // Toggles always change something; setting what is set already may not.
  expect(later.length).toBeGreaterThan(30)
  expect(later.at(-1)?.type).toBe('todo.deleted')
})

const unfolded = (data: object | undefined): Record<string, unknown> => ({ changed: [], ...data })
