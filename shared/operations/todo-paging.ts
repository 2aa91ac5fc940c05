// Paging by key: a page starts behind the last row of the page before, found by index, so that it costs the same however far in it is,
// and rows that come or go in between shift nothing.
import { Prisma } from '@todo/prisma'
import { z } from 'zod'
import { invalid } from '../errors.ts'
import { type Sort, sorts } from './todo-schemas.ts'

const { sql, raw } = Prisma

/** Each sort's expression, word for word as its index in the migrations has it, with its PostgreSQL type. */
const keys = {
  created: { expression: sql`created_at`, type: raw('timestamptz') },
  updated: { expression: sql`updated_at`, type: raw('timestamptz') },
  title: { expression: sql`title COLLATE "und-x-icu"`, type: raw('text') },
  due: { expression: sql`COALESCE(due_date + COALESCE(due_time, TIME '24:00'), TIMESTAMP 'infinity')`, type: raw('timestamp') },
  priority: { expression: sql`priority`, type: raw('smallint') },
}

export function sortKey(sort: Sort) {
  const name = sort.replace('-', '') as keyof typeof keys
  return { ...keys[name], descending: sort.startsWith('-') }
}

const timestamp = z
  .string()
  .regex(/^\d{4,5}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?(\+00)?$/)
  .refine((value) => !Number.isNaN(Date.parse(`${value.replace(' ', 'T').replace('+00', '')}Z`)))

const Cursor = z
  .strictObject({ sort: z.enum(sorts), key: z.string().max(255), id: z.uuid() })
  .refine(({ sort, key }) => keyIsSound(sort, key))
export type Cursor = z.output<typeof Cursor>

function keyIsSound(sort: Sort, key: string): boolean {
  switch (sort) {
    case 'created':
    case '-created':
    case 'updated':
    case '-updated':
      return timestamp.safeParse(key).success
    case 'due':
    case '-due':
      return key === 'infinity' || timestamp.safeParse(key).success
    case 'priority':
    case '-priority':
      return /^[0-3]$/.test(key)
    case 'title':
    case '-title':
      return key.isWellFormed() && !key.includes('\0')
  }
}

export function writeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url')
}

/** Reads what `writeCursor` wrote, or anything else that a caller may send. @throws AppError `invalid` */
export function parseCursor(text: string, sort: Sort): Cursor {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    value = undefined
  }
  const cursor = Cursor.safeParse(value)
  if (!cursor.success) throw invalid('/cursor', 'This is not a cursor that a page came with.')
  if (cursor.data.sort !== sort) throw invalid('/cursor', `This cursor belongs to sort=${cursor.data.sort}.`)
  return cursor.data
}
