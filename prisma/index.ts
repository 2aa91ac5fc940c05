// The Prisma client of the todo backend: how a function gets its database, and what its errors mean.
import { Prisma } from './generated/client.ts'

export { type ConnectionOptions, connectionConfig } from './connection.ts'
export { createDb, type Db } from './db.ts'
export { databaseFailure } from './failure.ts'
export { outcomeUnknown } from './outcome.ts'
export { createReadinessCheck, type Readiness } from './readiness.ts'
export { Prisma }

/** A moment within a raw statement, with its zone: a bare Date reaches PostgreSQL without one. */
export const instant = (at: Date) => Prisma.sql`${at.toISOString()}::timestamptz`
