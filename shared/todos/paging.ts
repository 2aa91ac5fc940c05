// Paging by key: a page starts behind the last row of the page before, found by index, so that it costs the same however far in it is,
// and rows that come or go in between shift nothing.
import { raw, type Sql, sql } from '@todo/prisma'
import { z } from 'zod'
import { Instant, readCursor } from '../core/cursor.ts'
import { invalid } from '../core/errors.ts'
import { CalendarDate, priorities, type Sort, sorts, Title, type Todo } from './schema.ts'

/** What a sort goes by. */
type Place = Pick<Todo, 'created_at' | 'updated_at' | 'title' | 'due_date' | 'due_time' | 'priority'>

type Key = {
  /** Word for word as its index in the migrations has it. Plain columns are qualified, because a SELECT alias has the same name. */
  expression: Sql
  /** How PostgreSQL reads the key of a cursor, regardless of the session's settings. */
  type: Sql
  /** The key of a todo, as text. */
  of(todo: Place): string
  /** Whether a text that a caller sent is one. */
  isSound(key: string): boolean
}

const Due = z.string().regex(/^\d{4}-\d\d-\d\d (([01]\d|2[0-3]):[0-5]\d|24:00)$/)
const isInstant = (key: string) => Instant.safeParse(key).success

const keys: Record<'created' | 'updated' | 'title' | 'due' | 'priority', Key> = {
  created: { expression: sql`todos.created_at`, type: raw('timestamptz'), of: (todo) => todo.created_at, isSound: isInstant },
  updated: { expression: sql`todos.updated_at`, type: raw('timestamptz'), of: (todo) => todo.updated_at, isSound: isInstant },
  title: {
    expression: sql`title COLLATE "und-x-icu"`,
    type: raw('text'),
    of: (todo) => todo.title,
    isSound: (key) => Title.safeParse(key).success,
  },
  due: {
    expression: sql`COALESCE(due_date + COALESCE(due_time, TIME '24:00'), TIMESTAMP 'infinity')`,
    type: raw('timestamp'),
    of: ({ due_date, due_time }) => (due_date === null ? 'infinity' : `${due_date} ${due_time ?? '24:00'}`),
    isSound: (key) => key === 'infinity' || (Due.safeParse(key).success && CalendarDate.safeParse(key.slice(0, 10)).success),
  },
  priority: {
    expression: sql`todos.priority`,
    type: raw('smallint'),
    of: ({ priority }) => String(priority === null ? 0 : priorities.indexOf(priority) + 1),
    isSound: (key) => /^[0-3]$/.test(key),
  },
}

export function sortKey(sort: Sort) {
  const name = sort.replace('-', '') as keyof typeof keys
  return { ...keys[name], descending: sort.startsWith('-') }
}

const Cursor = z.strictObject({ sort: z.enum(sorts), key: z.string(), id: z.uuid() }).refine(({ sort, key }) => sortKey(sort).isSound(key))
export type Cursor = z.output<typeof Cursor>

/** The place a cursor names, if it belongs to this sort. @throws AppError `invalid` */
export function parseCursor(text: string, sort: Sort): Cursor {
  const cursor = readCursor(Cursor, text)
  if (cursor.sort !== sort) throw invalid('/cursor', `This cursor belongs to sort=${cursor.sort}.`)
  return cursor
}
