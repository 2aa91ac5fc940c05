// Cursors: the end of a page as opaque text. A cursor that a client sends is untrusted input.
import { z } from 'zod'
import { invalid } from './errors.ts'

/** A timestamp within PostgreSQL's range. */
export const Instant = z.iso.datetime().refine((moment) => moment >= '0001')

export function writeCursor(place: object): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/** Parses and validates a cursor that a client sent. @throws AppError `invalid` */
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
