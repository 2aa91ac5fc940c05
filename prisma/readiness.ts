// Whether the functions can work with their database: it answers, takes writes, has the schema that the code needs, and grants the rights.
import { type Db, renewConnections } from './db.ts'
import { databaseFailure, sqlState } from './failure.ts'
import { migrationNames } from './migration-names.ts'

export type Readiness =
  | { type: 'ready' }
  /** A standby, or a primary that was demoted. */
  | { type: 'read_only' }
  /** The schema is older than the code: these migrations are missing. A newer schema is fine: migrations expand before they contract. */
  | { type: 'outdated'; migrations: readonly string[] }
  /** The role may not read and write these tables. */
  | { type: 'denied'; tables: readonly string[] }

/** Every table of `schema.prisma`: functions read and write them as one role. */
export const TABLES = [
  'users',
  'todos',
  'user_counters',
  'conversations',
  'messages',
  'chat_turns',
  'chat_usage',
  'outbox_events',
  'mcp_tickets',
  'throttle',
]

/** A read-only server makes the pool connect anew at most so often. */
const RENEW_MS = 1_000

/** SQLSTATE undefined_table and insufficient_privilege. */
const NO_TABLE = '42P01'
const DENIED = '42501'

/**
 * A check for readiness probes: one short statement. Schema and rights are looked at until they were in order once; from then on the
 * statement asks only whether the server takes writes.
 * @returns a check that throws what the database throws when it cannot be asked.
 */
export function createReadinessCheck(db: Db): () => Promise<Readiness> {
  let inOrder = false
  let renewedAt = 0

  async function findings(): Promise<Readiness> {
    if (inOrder) {
      const [row] = await db.$queryRaw<{ read_only: boolean }[]>`SELECT current_setting('transaction_read_only') = 'on' AS read_only`
      return row?.read_only ? { type: 'read_only' } : { type: 'ready' }
    }
    const [row] = await db.$queryRaw<{ read_only: boolean; missing: string[]; denied: string[] }[]>`
      SELECT current_setting('transaction_read_only') = 'on' AS read_only,
        ARRAY(SELECT name FROM unnest(${migrationNames}::text[]) AS name WHERE NOT EXISTS (
          SELECT FROM _prisma_migrations WHERE migration_name = name AND finished_at IS NOT NULL AND rolled_back_at IS NULL)) AS missing,
        ARRAY(SELECT name FROM unnest(${TABLES}::text[]) AS name WHERE NOT (
          SELECT bool_and(coalesce(has_table_privilege(to_regclass(name), privilege), false))
          FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS privilege)) AS denied`
    if (!row || row.missing.length > 0) return { type: 'outdated', migrations: row?.missing ?? migrationNames }
    if (row.denied.length > 0) return { type: 'denied', tables: row.denied }
    inOrder = true
    return row.read_only ? { type: 'read_only' } : { type: 'ready' }
  }

  return async () => {
    try {
      const found = await findings()
      if (found.type === 'read_only' && Date.now() - renewedAt > RENEW_MS) {
        renewedAt = Date.now()
        renewConnections(db)
      }
      return found
    } catch (error) {
      const state = databaseFailure(error) ? undefined : sqlState(error)
      if (state === NO_TABLE) return { type: 'outdated', migrations: migrationNames }
      if (state === DENIED) return { type: 'denied', tables: ['_prisma_migrations'] }
      throw error
    }
  }
}
