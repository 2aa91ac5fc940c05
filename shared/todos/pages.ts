// The statement that selects a page of todos: filters, order, and the place where the page before ended.
import { join, raw, type Sql, sql } from '@todo/prisma'
import type { z } from 'zod'
import { type Cursor, parseCursor, sortKey } from './paging.ts'
import { columns } from './rows.ts'
import { type ListTodos, priorities } from './schema.ts'
import { search } from './search.ts'

/** Selects at most `rows` of a user's todos. @throws AppError `invalid` for a cursor of another sort, or none */
export function selectPage(userId: string, { sort, cursor, ...filters }: Omit<z.output<typeof ListTodos>, 'limit'>, rows: number) {
  const { q, ...others } = filters
  const key = sortKey(sort)
  const direction = key.descending ? sql`DESC` : sql`ASC`
  const order = sql`ORDER BY ${key.expression} ${direction}, id ${direction}`
  const owned = [sql`user_id = ${userId}`, ...(cursor === undefined ? [] : [after(parseCursor(cursor, sort), key, filters)])]
  const matching = conditions(others)
  if (q) {
    // The open ones have indexes of their own in these orders.
    const walked = others.status === 'pending' && /created|due/.test(sort) ? [...owned, sql`completed_at IS NULL`] : owned
    const from = search({ userId, q, key, order, rows, walked: join(walked, ' AND '), others: matching })
    // Sorted first: PostgreSQL would format the columns of every row that is sorted.
    return sql`${from.with} SELECT ${columns} FROM (SELECT * FROM (${from.todos}) AS todos ${order} LIMIT ${rows}) AS todos ${order}`
  }
  return sql`SELECT ${columns} FROM todos WHERE ${join([...owned, ...matching], ' AND ')} ${order} LIMIT ${rows}`
}

type Filters = Omit<z.output<typeof ListTodos>, 'sort' | 'limit' | 'cursor'>

function conditions({ status, priority, tag, due_before, due_after }: Omit<Filters, 'q'>): Sql[] {
  const where: Sql[] = []
  if (status === 'pending') where.push(sql`completed_at IS NULL`)
  if (status === 'completed') where.push(sql`completed_at IS NOT NULL`)
  if (priority !== undefined) where.push(sql`priority = ${priorities.indexOf(priority) + 1}`)
  if (tag !== undefined) where.push(sql`tags @> ${[tag]}::text[]`)
  // Said twice: the day decides, and the moment is what the index knows.
  const { expression: due } = sortKey('due')
  if (due_before !== undefined) where.push(sql`due_date < ${due_before}::date AND ${due} <= ${due_before}::date`)
  if (due_after !== undefined)
    where.push(sql`due_date > ${due_after}::date AND ${due} >= ${due_after}::date + TIME '24:00' AND ${due} < TIMESTAMP 'infinity'`)
  return where
}

function after({ sort, key: place, id }: Cursor, key: ReturnType<typeof sortKey>, { priority }: Filters): Sql {
  const than = key.descending ? raw('<') : raw('>')
  const behind = sql`(${key.expression}, id) ${than} (${place}::${key.type}, ${id}::uuid)`
  // Twice: among todos of one priority the id alone decides the order, and without this condition all todos before it would be read again.
  const alike = priority !== undefined && sort.endsWith('priority') && place === String(priorities.indexOf(priority) + 1)
  return alike ? sql`${behind} AND id ${than} ${id}::uuid` : behind
}
