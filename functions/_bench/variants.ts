// Every way to ask for a list that the bench looks at, and the statement that the operation then sends.
import type pg from 'pg'
import type { z } from 'zod'
import { writeCursor } from '../../shared/core/cursor.ts'
import { contextOf } from '../../shared/testing/user-context.ts'
import { sortKey } from '../../shared/todos/paging.ts'
import { ListTodos, type Sort, sorts, type Todo } from '../../shared/todos/schema.ts'
import { listTodos } from '../../shared/todos/todos.ts'
import type { User, World } from '../_build/world.ts'
import { type Statement, statementsOf } from './statements.ts'

export type Query = Partial<z.input<typeof ListTodos>>
export type Variant = { filter: string; sort: Sort; query: Query }

const day = (offset: number) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10)

/** What users filter by, for data as many-todos.ts makes it. */
export const filters: Record<string, Query> = {
  none: {},
  pending: { status: 'pending' },
  completed: { status: 'completed' },
  priority: { priority: 'high' },
  'a tag': { tag: 'tag7' },
  'a rare tag': { tag: 'rare' },
  'an absent tag': { tag: 'never' },
  'a word': { q: 'letter' },
  'a rare word': { q: 'zeppelin' },
  'an absent word': { q: 'xylophone' },
  'one letter': { q: 'e' },
  'an absent letter': { q: 'q' },
  'two letters': { q: 'le' },
  'two rare letters': { q: 'ze' },
  'two absent letters': { q: 'qx' },
  'an absent sign': { q: '~' },
  'an absent word of another script': { q: '日本' },
  'a word of what is pending': { q: 'letter', status: 'pending' },
  overdue: { status: 'pending', due_before: day(0) },
  'next week': { due_after: day(0), due_before: day(8) },
}

export const variants: Variant[] = Object.entries(filters).flatMap(([filter, query]) =>
  sorts.map((sort) => ({ filter, sort, query: { ...query, sort, limit: 20 } })),
)

/** The statement that lists a user's page. */
export async function listStatement(deps: World['deps'], user: User, query: Query): Promise<Statement> {
  const { statements } = await statementsOf(() => listTodos(contextOf(deps, user), ListTodos.parse(query)).catch(() => undefined))
  const [statement, ...others] = statements
  if (!statement || others.length > 0) throw new Error(`a list took ${statements.length} statements`)
  return statement
}

/** The same list from its middle on; undefined when it has no two pages. A search goes on from the middle of what it searches. */
export async function fromTheMiddle(
  deps: World['deps'],
  client: pg.Client,
  user: User,
  query: Query,
  sort: Sort,
): Promise<Query | undefined> {
  const { q: _, ...searched } = query
  const key = JSON.stringify([user.id, searched])
  const known = cursors.get(key) ?? middleOf(deps, client, user, searched, sort)
  cursors.set(key, known)
  const cursor = await known
  return cursor === undefined ? undefined : { ...query, cursor }
}

/** Found once for all searches of the same list: counting a million todos takes its time. */
const cursors = new Map<string, Promise<string | undefined>>()

async function middleOf(deps: World['deps'], client: pg.Client, user: User, query: Query, sort: Sort): Promise<string | undefined> {
  const { text, values } = await listStatement(deps, user, { ...query, limit: 1 })
  // LIMIT is the last thing that a list's statement says, and its number the last value.
  const all = [...values.slice(0, -1), 1_000_000_000]
  const { rows: counted } = await client.query<{ count: string }>(`SELECT count(*) FROM (${text}) AS page`, all)
  const count = Number(counted[0]?.count)
  if (count < 40) return undefined
  const { rows } = await client.query<Todo>(`${text} OFFSET ${Math.floor(count / 2)}`, [...values.slice(0, -1), 1])
  const [row] = rows
  return row && writeCursor({ sort, key: sortKey(sort).of(row), id: row.id })
}
