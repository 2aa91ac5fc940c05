// The database port. Statements go straight to node-postgres: through Prisma's client a list costs half as much processor time again.
// Prisma's client is loaded by the first use of its model API and shares the pool.
import pg from 'pg'
import { type ConnectionOptions, isPooled } from './connection.ts'
import type { PrismaClient } from './generated/client.ts'
import { createPool } from './pool.ts'
import type { Sql } from './sql.ts'
import { createStatementNames } from './statements.ts'

/** Reads a row: a zod schema, or any other object with a `parse`. */
export type RowSchema<Row> = { parse(row: unknown): Row }

export type Db = {
  /**
   * Runs a statement and returns its rows. A timestamptz is a `Date`, an int8 a `bigint`; a date, a time and a timestamp are text.
   * `schema` types the rows, and checks each one where `checkRows` is set; it must not transform them.
   * @throws pg.DatabaseError, or an Error without SQLSTATE when the connection failed: see `databaseFailure`
   */
  query<Row>(statement: Sql, schema: RowSchema<Row>): Promise<Row[]>
  /** Runs a statement and returns the number of affected rows. @throws as `query` does */
  execute(statement: Sql): Promise<number>
  /** Prisma's model API and transactions, on the same pool. The first call loads the client, which takes longer than a whole cold start. */
  prisma(): Promise<PrismaClient>
  /** Replaces every open connection: the next statement opens a new one. Running statements are not interrupted. */
  renewConnections(): void
  /** Waits for running statements, then closes every connection. Idempotent. */
  close(): Promise<void>
}

export type DbOptions = ConnectionOptions & {
  /** Checks every row against its schema, for tests and development. Default false. */
  checkRows?: boolean
  /** Called for a connection that fails while it is idle, and for one that the pool gives up. */
  onConnectionError?: (error: Error) => void
}

/**
 * Opens no connection before the first statement.
 * @throws StartupError when the URL may not be used
 */
export function createDb({ checkRows = false, onConnectionError = () => {}, ...connection }: DbOptions): Db {
  const { pool, renew } = createPool(connection, onConnectionError)
  // A transaction pooler may run the next statement on a server session that lacks the prepared one.
  const statementName = isPooled(connection.url) ? undefined : createStatementNames()

  async function run({ text, values }: Sql) {
    // node-postgres would write NULL for a value that the caller forgot.
    if (values.includes(undefined)) throw new TypeError('a statement has an undefined parameter')
    return pool.query({ name: statementName?.({ sql: text }), text, values, types: TYPES })
  }

  let client: Promise<PrismaClient> | undefined
  let closed: Promise<void> | undefined

  async function loadClient(): Promise<PrismaClient> {
    const { createClient } = await import('./model-api.ts')
    return createClient(pool, { statementName, onConnectionError })
  }

  /** The next call of `prisma` tries again. */
  function forgetClient(error: unknown): never {
    client = undefined
    throw error
  }

  async function close(): Promise<void> {
    await (await client?.catch(() => undefined))?.$disconnect()
    await pool.end()
  }

  return {
    async query(statement, schema) {
      const { rows } = await run(statement)
      // Checked, not replaced: every environment returns what the database returned.
      if (checkRows) for (const row of rows) schema.parse(row)
      return rows
    },
    execute: async (statement) => (await run(statement)).rowCount ?? 0,
    prisma: () => (client ??= loadClient().catch(forgetClient)),
    renewConnections: renew,
    close: () => (closed ??= close()),
  }
}

/** node-postgres would read `date` and `timestamp` in the time zone of the process, and return `int8` as text. */
const PARSERS: Partial<Record<number, (text: string) => unknown>> = {
  [pg.types.builtins.INT8]: BigInt,
  [pg.types.builtins.DATE]: (text) => text,
  [pg.types.builtins.TIMESTAMP]: (text) => text,
}
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (format !== 'binary' && PARSERS[oid]) || pg.types.getTypeParser(oid, format),
}
