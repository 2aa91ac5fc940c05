// Whether the functions can work with their database: it answers, takes writes, has the schema that the code needs, and grants the rights.
import { z } from 'zod'
import type { Db } from './database.ts'
import { databaseFailure, sqlState } from './failure.ts'
import { migrationNames } from './migration-names.ts'
import { sql } from './sql.ts'

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

/** A read-only server makes the pool replace its connections at most this often. */
const RENEW_MS = 1_000

/** SQLSTATE undefined_table and insufficient_privilege. */
const NO_TABLE = '42P01'
const DENIED = '42501'

const ReadOnlyRow = z.strictObject({ read_only: z.boolean() })
const FindingsRow = ReadOnlyRow.extend({ missing: z.array(z.string()), denied: z.array(z.string()) })

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
      const [row] = await db.query(sql`SELECT current_setting('transaction_read_only') = 'on' AS read_only`, ReadOnlyRow)
      return row?.read_only ? { type: 'read_only' } : { type: 'ready' }
    }
    const [row] = await db.query(
      sql`
      SELECT current_setting('transaction_read_only') = 'on' AS read_only,
        ARRAY(SELECT name FROM unnest(${migrationNames}::text[]) AS name WHERE NOT EXISTS (
          SELECT FROM _prisma_migrations WHERE migration_name = name AND finished_at IS NOT NULL AND rolled_back_at IS NULL)) AS missing,
        ARRAY(SELECT name FROM unnest(${TABLES}::text[]) AS name WHERE NOT (
          SELECT bool_and(coalesce(has_table_privilege(to_regclass(name), privilege), false))
          FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS privilege)) AS denied`,
      FindingsRow,
    )
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
        db.renewConnections()
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
