// The tag that builds SQL statements: every interpolated value becomes a parameter, every nested `sql` is inlined.
import sql, { type Sql } from 'sql-template-tag'

export { empty, join, raw, type Sql } from 'sql-template-tag'
export { sql }

/** A point in time as a parameter with its zone: node-postgres would send a bare Date in the zone of the process. */
export const instant = (at: Date): Sql => sql`${at.toISOString()}::timestamptz`
