// Cursors: where a page ended, as text that means nothing to its reader. What comes back is an input like any other.
import { z } from 'zod'
import { invalid } from './errors.ts'

/** A moment as a cursor holds it: one that PostgreSQL knows, too. */
export const Instant = z.iso.datetime().refine((moment) => moment >= '0001')

export function writeCursor(place: object): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** Reads what `writeCursor` wrote, or anything else that a caller may send. @throws AppError `invalid` */
export function readCursor<S extends z.ZodType>(schema: S, cursor: string): z.output<S> {
  const place = schema.safeParse(decoded(cursor))
  if (!place.success) throw invalid('/cursor', 'This is not a cursor that a page came with.')
  return place.data
}

function decoded(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}
