// How a function gets its database: Prisma's client over the watched pool.
import { PrismaPg } from '@prisma/adapter-pg'
import { type ConnectionOptions, isPooled } from './connection.ts'
import { PrismaClient } from './generated/client.ts'
import { createPool } from './pool.ts'
import { makeStatementNames } from './statements.ts'

export type Db = PrismaClient

const renewals = new WeakMap<Db, () => void>()

/**
 * A client with a pool of its own. Nothing is opened until the first query or `$connect`.
 * @param onError hears of connections that broke while no caller waited for them, and of those that were given up.
 * @throws StartupError when the URL may not be used.
 */
export function createDb(connection: ConnectionOptions, onError: (error: Error) => void = () => {}): Db {
  const { pool, renew } = createPool(connection, onError)
  const adapter = new PrismaPg(pool, {
    disposeExternalPool: true,
    onConnectionError: onError,
    // A transaction pooler may hand the next use of a prepared statement to a session that does not have it.
    ...(isPooled(connection.url) ? {} : { statementNameGenerator: makeStatementNames() }),
  })
  const db = new PrismaClient({ adapter, errorFormat: 'minimal' })
  renewals.set(db, renew)
  return db
}

/** Uses no connection again that is open now: the next statement gets a new one. */
export function renewConnections(db: Db): void {
  renewals.get(db)?.()
}
