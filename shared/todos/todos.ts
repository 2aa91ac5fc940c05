// Todos: the product. Every statement carries the owner's id; a todo of another user does not exist here.
import { instant, join, raw, type Sql, sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import type { z } from 'zod'
import { holdingTo, within } from '../accounts/quotas.ts'
import { withOwner } from '../accounts/users.ts'
import type { UserContext } from '../core/context.ts'
import { writeCursor } from '../core/cursor.ts'
import { AppError, invalid } from '../core/errors.ts'
import { constraintOf } from '../core/failure.ts'
import { operation } from '../core/operation.ts'
import { telling, tellingChange } from './events.ts'
import { selectPage } from './pages.ts'
import { type Cursor, sortKey } from './paging.ts'
import { columns } from './rows.ts'
import { CompleteTodo, CreateTodo, DeletedTodo, ListTodos, priorities, Todo, TodoPage, TodoRef, UpdateTodo } from './schema.ts'
import { createSearchLane } from './search-lane.ts'

/** This process's. Most searches take milliseconds; two places leave the pool's other connections to everything else. */
const searches = createSearchLane(2)

export const createTodo = operation(
  {
    name: 'add_task',
    title: 'Add a todo',
    summary: 'Add a todo.',
    effect: 'write',
    input: CreateTodo,
    output: Todo,
    errors: ['throttled'],
  },
  async (ctx: UserContext, input) => {
    const id = uuidv7()
    const now = ctx.clock()
    const values = assignments(input, now, sql`NULL`)
    const insert = sql`
      INSERT INTO todos (id, user_id, created_at, updated_at, ${names(values)})
      SELECT ${id}::uuid, ${ctx.actor.userId}, ${instant(now)}, ${instant(now)}, ${join(values.map(({ value }) => value))}
      WHERE ${within(ctx, 'openTodos')}
      RETURNING ${columns}`
    return withOwner(ctx, () => write(ctx, telling(ctx, now, 'todo.created', insert)))
  },
)

export const getTodo = operation(
  {
    name: 'get_task',
    title: 'Show a todo',
    summary: 'Show one todo.',
    effect: 'read',
    input: TodoRef,
    output: Todo,
    errors: ['not_found'],
  },
  async (ctx: UserContext, { todo_id }) => only(await ctx.db.query(sql`SELECT ${columns} FROM todos WHERE ${own(ctx, todo_id)}`, Todo)),
)

export const listTodos = operation(
  {
    name: 'list_tasks',
    title: 'List todos',
    summary: 'List todos, filtered and sorted, a page at a time.',
    description: 'Pass `next_cursor` as `cursor`, with the same sort and filters, for the page that follows; it is null on the last one.',
    effect: 'read',
    input: ListTodos,
    modelDefaults: { limit: 20 },
    output: TodoPage,
  },
  async (ctx: UserContext, { sort, limit, ...filters }) => {
    const select = () => ctx.db.query(selectPage(ctx.actor.userId, { sort, ...filters }, limit + 1), Todo)
    const rows = filters.q ? await searches.run(ctx.actor.userId, select) : await select()
    const page = rows.slice(0, limit)
    const last = rows.length > limit ? page.at(-1) : undefined
    return {
      todos: page,
      count: page.length,
      next_cursor: last ? writeCursor({ sort, key: sortKey(sort).of(last), id: last.id } satisfies Cursor) : null,
    }
  },
)

export const updateTodo = operation(
  {
    name: 'update_task',
    title: 'Change a todo',
    summary: 'Change a todo: fields that are not sent stay as they are, null clears one.',
    effect: 'write',
    idempotent: true,
    input: UpdateTodo,
    output: Todo,
    errors: ['not_found', 'throttled'],
  },
  async (ctx: UserContext, { todo_id, ...changes }) => {
    const now = ctx.clock()
    const values = assignments(changes, now, sql`completed_at`)
    if (values.length === 0) return getTodo(ctx, { todo_id })
    return change(ctx, todo_id, values, now)
  },
)

export const completeTodo = operation(
  {
    name: 'complete_task',
    title: 'Complete or reopen a todo',
    summary: 'Complete a todo (`completed: true`), reopen it (`false`), or toggle it (nothing sent).',
    effect: 'write',
    input: CompleteTodo,
    output: Todo,
    errors: ['not_found', 'throttled'],
  },
  async (ctx: UserContext, { todo_id, completed }) => {
    const now = ctx.clock()
    const completedAt =
      completed === undefined ? sql`CASE WHEN completed_at IS NULL THEN ${instant(now)} END` : completion(completed, now, sql`completed_at`)
    return change(ctx, todo_id, [{ column: 'completed_at', value: completedAt }], now)
  },
)

export const deleteTodo = operation(
  {
    name: 'delete_task',
    title: 'Delete a todo',
    summary: 'Delete a todo for good.',
    effect: 'destroy',
    idempotent: true,
    input: TodoRef,
    output: DeletedTodo,
    errors: ['not_found'],
  },
  async (ctx: UserContext, { todo_id }) => {
    const remove = sql`DELETE FROM todos WHERE ${own(ctx, todo_id)} RETURNING ${columns}`
    await write(ctx, telling(ctx, ctx.clock(), 'todo.deleted', remove))
    return { success: true as const, message: 'Todo deleted successfully' }
  },
)

const own = (ctx: UserContext, id: string) => sql`id = ${id}::uuid AND user_id = ${ctx.actor.userId}`

function only([todo]: Todo[]): Todo {
  if (!todo) throw notFound()
  return todo
}

/** The same error for a todo of another user and for one that never existed. */
const notFound = () => new AppError('not_found', 'There is no such todo.')

type Assignment = { column: string; value: Sql }
const names = (values: Assignment[]) => join(values.map(({ column }) => raw(column)))

/** What an input sets: a column for each field that was sent, and no other. `since` is when the todo was completed before. */
function assignments(input: Partial<z.output<typeof CreateTodo>>, now: Date, since: Sql): Assignment[] {
  const { title, description, completed, priority, tags, due_date, due_time, time_zone } = input
  const values: Record<string, Sql | undefined> = {
    title: title === undefined ? undefined : sql`${title}::text`,
    description: description === undefined ? undefined : sql`${description}::text`,
    completed_at: completed === undefined ? undefined : completion(completed, now, since),
    priority: priority === undefined ? undefined : sql`${priority === null ? 0 : priorities.indexOf(priority) + 1}::smallint`,
    tags: tags === undefined ? undefined : sql`${[...new Set(tags)]}::text[]`,
    due_date: due_date === undefined ? undefined : sql`${due_date}::date`,
    due_time: due_time === undefined ? undefined : sql`${due_time}::time`,
    time_zone: time_zone === undefined ? undefined : sql`${time_zone}::text`,
  }
  return Object.entries(values).flatMap(([column, value]) => (value ? [{ column, value }] : []))
}

/** Completing what is complete keeps the moment it was completed at. */
const completion = (completed: boolean, now: Date, since: Sql) =>
  completed ? sql`COALESCE(${since}, ${instant(now)})` : sql`NULL::timestamptz`

/**
 * One statement, so that parallel changes follow one another. `updated_at` moves when and only when a value does, and always forward,
 * even within one millisecond or between two machines' clocks.
 */
function change(ctx: UserContext, id: string, values: Assignment[], now: Date): Promise<Todo> {
  const set = values.map(({ column, value }) => sql`${raw(column)} = ${value}`)
  const sent = join(values.map(({ value }) => value))
  const todo = own(ctx, id)
  const update = (from: Sql, where: Sql) => sql`
    UPDATE todos SET ${join(set)}, updated_at = CASE
      WHEN ROW(${names(values)}) IS DISTINCT FROM ROW(${sent})
      THEN GREATEST(${instant(now)}, updated_at + interval '1 millisecond') ELSE updated_at END
    ${from} WHERE ${where} AND ${within(ctx, 'openTodos')} RETURNING ${columns}`
  return write(ctx, tellingChange(ctx, now, { current: sql`SELECT ${columns} FROM todos WHERE ${todo}`, update, todo }))
}

/** Runs a statement that writes one todo and returns it. */
async function write(ctx: UserContext, statement: Sql): Promise<Todo> {
  const written = only(await holdingTo(ctx, 'openTodos', () => refusals(() => ctx.db.query(statement, Todo))))
  ctx.delivery?.nudge()
  return written
}

/** Rules that only the row can judge, when the fields that were sent meet the ones that were there. */
async function refusals<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (constraintOf(error) === 'todos_due_time_needs_date') throw invalid('/due_time', 'A due_time needs a due_date: clear or set both.')
    throw error
  }
}
