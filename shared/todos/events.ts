// The events of todos: their types, their data, and how a change writes its event in the same statement.
// A change that changes nothing writes no event.
import { empty, type Sql, sql } from '@todo/prisma'
import { z } from 'zod'
import type { UserContext } from '../core/context.ts'
import { insertEvent } from '../events/outbox.ts'
import { exampleTodo, Todo } from './schema.ts'

const fields = Todo.omit({ id: true, user_id: true, created_at: true, updated_at: true }).keyof()
const ChangedTodo = Todo.extend({ changed: z.array(fields).min(1).describe('What is not as it was before') }).meta({
  id: 'ChangedTodo',
  example: { ...exampleTodo, changed: ['due_date', 'priority'] },
})

export const todoEvents = {
  'todo.created': { summary: 'A todo was added.', data: Todo },
  'todo.updated': { summary: 'A todo was changed, and is as complete or open as it was.', data: ChangedTodo },
  'todo.completed': { summary: 'A todo was completed, and maybe changed otherwise.', data: ChangedTodo },
  'todo.uncompleted': { summary: 'A todo was reopened, and maybe changed otherwise.', data: ChangedTodo },
  'todo.deleted': { summary: 'A todo was deleted; the data is what it was.', data: Todo },
} as const
export type TodoEventType = keyof typeof todoEvents

const typed = (type: TodoEventType) => sql`${type}::text`

/** Extends a statement that returns the todo it adds or removes: it also writes the event, where events are delivered. */
export function telling(ctx: UserContext, at: Date, type: TodoEventType, statement: Sql): Sql {
  if (!ctx.delivery) return statement
  const event = insertEvent({ type: typed(type), data: sql`to_jsonb(todo)`, from: sql`todo` }, { at, traceparent: ctx.traceparent })
  return sql`WITH todo AS (${statement}), event AS (${event}) SELECT * FROM todo`
}

type Change = {
  /** Selects the todo as it is. */
  current: Sql
  /** Changes and returns it: an UPDATE with these FROM and WHERE clauses. */
  update(from: Sql, where: Sql): Sql
  /** Whose and which todo: a condition. */
  todo: Sql
}

/** The same for a change. The previous state is read under the lock that the change needs anyway, so that parallel changes are exact. */
export function tellingChange(ctx: UserContext, at: Date, { current, update, todo }: Change): Sql {
  if (!ctx.delivery) return update(empty, todo)
  const type = sql`CASE WHEN completed = (was->>'completed')::bool THEN ${typed('todo.updated')}
    WHEN completed THEN ${typed('todo.completed')} ELSE ${typed('todo.uncompleted')} END`
  const changed = sql`
    SELECT jsonb_agg(key ORDER BY key) FROM jsonb_each(to_jsonb(todo)) WHERE value <> was->key AND key <> 'updated_at'`
  const data = sql`to_jsonb(todo) || jsonb_build_object('changed', (${changed}))`
  const from = sql`todo JOIN before ON was_id = id WHERE updated_at <> was->>'updated_at'`
  return sql`
    WITH before AS (SELECT now.id AS was_id, to_jsonb(now) AS was FROM (${current} FOR UPDATE) AS now),
    todo AS (${update(sql`FROM before`, sql`id = was_id`)}),
    event AS (${insertEvent({ type, data, from }, { at, traceparent: ctx.traceparent })})
    SELECT * FROM todo`
}
