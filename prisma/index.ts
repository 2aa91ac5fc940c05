// The package @todo/prisma: the database port, its SQL tag, and the classification of database errors.
export { type ConnectionOptions, connectionConfig } from './connection.ts'
export { createDb, type Db, type DbOptions, type RowSchema } from './database.ts'
export { databaseFailure, sqlState } from './failure.ts'
export type { Prisma } from './generated/client.ts'
export { outcomeUnknown } from './outcome.ts'
export { createReadinessCheck, type Readiness } from './readiness.ts'
export { empty, instant, join, raw, type Sql, sql } from './sql.ts'
