// Prisma's client over a pool. A module of its own, because loading it takes longer than a cold start: database.ts imports it on first use.
import { PrismaPg } from '@prisma/adapter-pg'
import type pg from 'pg'
import { PrismaClient } from './generated/client.ts'

type Options = { statementName: ((query: { sql: string }) => string) | undefined; onConnectionError: (error: Error) => void }

/** Disconnecting the client leaves the pool open. */
export function createClient(pool: pg.Pool, { statementName, onConnectionError }: Options): PrismaClient {
  const adapter = new PrismaPg(pool, { onConnectionError, ...(statementName ? { statementNameGenerator: statementName } : {}) })
  return new PrismaClient({ adapter, errorFormat: 'minimal' })
}
