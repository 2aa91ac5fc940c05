// The Prisma client of the todo backend: how a function gets its database, and what its errors mean.
import { PrismaPg } from '@prisma/adapter-pg'
import { type ConnectionOptions, connectionConfig, isPooled } from './connection.ts'
import { Prisma, PrismaClient } from './generated/client.ts'
import { makeStatementNames } from './statements.ts'

export { type ConnectionOptions, connectionConfig } from './connection.ts'
export { databaseFailure } from './failure.ts'
export { Prisma } from './generated/client.ts'
export { outcomeUnknown } from './outcome.ts'

export type Db = PrismaClient

/**
 * A client with a pool of its own. Nothing is opened until the first query or `$connect`.
 * @throws Error with one line, when the URL may not be used.
 */
export function createDb(connection: ConnectionOptions): Db {
  const adapter = new PrismaPg(connectionConfig(connection), {
    // An idle connection that the server cuts is replaced by the pool; the next query that needs one says if it cannot be.
    onPoolError: () => {},
    onConnectionError: () => {},
    // A transaction pooler may hand the next use of a prepared statement to a session that does not have it.
    ...(isPooled(connection.url) ? {} : { statementNameGenerator: makeStatementNames() }),
  })
  return new PrismaClient({ adapter, errorFormat: 'minimal' })
}

/** A moment within a raw statement, with its zone: a bare Date reaches PostgreSQL without one. */
export const instant = (at: Date) => Prisma.sql`${at.toISOString()}::timestamptz`
