// Properties that hold for any todos and any changes, tried with generated ones.
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { UserContext } from '../core/context.ts'
import { contextOf, newUser, testDeps } from '../testing/context.ts'
import { CreateTodo, ListTodos, priorities, sorts, type Todo, UpdateTodo } from './schema.ts'
import { createTodo, deleteTodo, getTodo, listTodos, updateTodo } from './todos.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

// Few different values, so that many rows tie.
const dated = fc.record({
  due_date: fc.constantFrom('2027-01-15', '2027-01-16', '0001-01-01'),
  due_time: fc.constantFrom(null, '00:00', '09:30'),
})
const anyTodo = fc
  .tuple(
    fc.record(
      {
        title: fc.constantFrom('a', 'A', 'ä', 'b', '👍', '%'),
        completed: fc.boolean(),
        priority: fc.constantFrom(null, ...priorities),
        tags: fc.constantFrom(['x'], ['x', 'y'], []),
      },
      { requiredKeys: ['title'] },
    ),
    fc.option(dated, { nil: {} }),
  )
  .map(([fields, due]) => CreateTodo.parse({ ...fields, ...due }))
type Input = typeof anyTodo extends fc.Arbitrary<infer T> ? T : never

const filters: { filter: object; shows: (todo: Todo) => boolean }[] = [
  { filter: {}, shows: () => true },
  { filter: { status: 'pending' }, shows: (todo) => !todo.completed },
  { filter: { status: 'completed' }, shows: (todo) => todo.completed },
  { filter: { tag: 'y' }, shows: (todo) => todo.tags.includes('y') },
  { filter: { priority: 'low' }, shows: (todo) => todo.priority === 'low' },
  { filter: { q: 'A' }, shows: (todo) => /a/i.test(todo.title) },
  { filter: { due_after: '2026-12-31', due_before: '2027-01-16' }, shows: (todo) => todo.due_date === '2027-01-15' },
]

/** What happens to the list between two pages. */
type Churn = { insert: Input[]; remove: number }
const anyChurn = fc.record({ insert: fc.array(anyTodo, { maxLength: 3 }), remove: fc.nat({ max: 3 }) })

async function pagesUnderChurn(ctx: UserContext, input: object, volatile: string[], churns: Churn[]): Promise<Todo[]> {
  const seen: Todo[] = []
  let cursor: string | undefined
  for (let page = 0; ; page++) {
    const { todos, next_cursor } = await listTodos(ctx, ListTodos.parse({ ...input, cursor }))
    seen.push(...todos)
    if (next_cursor === null) return seen
    cursor = next_cursor
    const { insert, remove } = churns[page] ?? { insert: [], remove: 0 }
    for (const todo_id of volatile.splice(0, remove)) await deleteTodo(ctx, { todo_id })
    for (const todo of insert) volatile.push((await createTodo(ctx, todo)).id)
  }
}

describe('paging while rows come and go', () => {
  it.each(sorts)('shows every row that stays exactly once, and none twice: %s', async (sort) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyTodo, fc.boolean()), { minLength: 4, maxLength: 16 }),
        fc.array(anyChurn, { maxLength: 8 }),
        fc.constantFrom(...filters),
        fc.integer({ min: 1, max: 4 }),
        async (rows, churns, { filter, shows }, limit) => {
          const ctx = contextOf(world.deps, await newUser(world))
          const made = await Promise.all(rows.map(async ([input, stays]) => ({ todo: await createTodo(ctx, input), stays })))
          const staying = made.filter(({ stays, todo }) => stays && shows(todo)).map(({ todo }) => todo.id)
          const leaving = made.filter(({ stays }) => !stays).map(({ todo }) => todo.id)
          const seen = (await pagesUnderChurn(ctx, { ...filter, sort, limit }, leaving, churns)).map(({ id }) => id)
          expect(new Set(seen).size).toBe(seen.length)
          expect(staying.filter((id) => !seen.includes(id))).toEqual([])
        },
      ),
      { numRuns: 8 },
    )
  })
})

const anyChange = fc.record(
  {
    title: fc.constantFrom('a', ' b ', 'c'),
    description: fc.constantFrom(null, '', 'text'),
    completed: fc.boolean(),
    priority: fc.constantFrom(null, ...priorities),
    tags: fc.constantFrom(null, [], ['x'], ['x', 'y', 'x']),
    due_date: fc.constantFrom(null, '2027-01-15', '2028-02-29'),
    due_time: fc.constantFrom(null, '09:30', '00:00'),
    time_zone: fc.constantFrom(null, 'Europe/Berlin', 'UTC'),
  },
  { requiredKeys: [] },
)

/** A todo after a change, as the API promises it; undefined when the change must be refused. */
function changed(todo: Todo, { tags, ...fields }: Omit<ReturnType<typeof UpdateTodo.parse>, 'todo_id'>, now: string): Todo | undefined {
  const next: Todo = { ...todo, ...fields, ...(tags === undefined ? {} : { tags: [...new Set(tags)] }) }
  if (next.due_time !== null && next.due_date === null) return undefined
  if (next.completed !== todo.completed) next.completed_at = next.completed ? now : null
  if (JSON.stringify(next) !== JSON.stringify(todo)) {
    const later = new Date(Date.parse(todo.updated_at) + 1).toISOString()
    next.updated_at = now > later ? now : later
  }
  return next
}

describe('any sequence of changes', () => {
  it('leaves a todo as a plain object would be', async () => {
    await fc.assert(
      fc.asyncProperty(anyTodo, fc.array(fc.tuple(anyChange, fc.integer({ min: -2, max: 5 })), { maxLength: 12 }), async (input, steps) => {
        let now = Date.parse('2027-01-10T12:00:00.000Z')
        const ctx = contextOf(world.deps, await newUser(world), () => new Date(now))
        let model = await createTodo(ctx, input)
        for (const [change, tick] of steps) {
          now += tick
          const { todo_id, ...parsed } = UpdateTodo.parse({ todo_id: model.id, ...change })
          const expected = changed(model, parsed, new Date(now).toISOString())
          const answer = updateTodo(ctx, { todo_id, ...parsed })
          if (expected) expect(await answer).toEqual(expected)
          else await expect(answer).rejects.toMatchObject({ kind: 'invalid', issues: [{ pointer: '/due_time' }] })
          model = expected ?? model
          expect(await getTodo(ctx, { todo_id })).toEqual(model)
        }
      }),
      { numRuns: 40 },
    )
  })
})
