// Counts tries against limits in the table `throttle`, so that all replicas count together and a restart forgets nothing.
// Written by hand because a library's counters also count refused tries, and then one address locks an account's owner out.
import { type Db, join, sql } from '@todo/prisma'
import { z } from 'zod'
import { AppError } from '../core/errors.ts'

const MINUTE = 60

/** How many tries a window of time allows. */
export type Limit = { points: number; seconds: number }

/** A limit as it applies to one caller. */
export type Counter = Limit & {
  /** Which row counts it. Personal data goes in as a keyed digest only. */
  key: string
  /** The limit does not apply while a mark of this name lasts. */
  unless?: string
}

/** A row that lasts for a time and counts nothing. */
export type Mark = { key: string; seconds: number }

/** A try that was counted: the row, and the end of the window that it was counted in. */
export type Spent = { key: string; expire: bigint }

const SWEEP = {
  /** A process removes ended rows with its first try, and each time it has counted so many. */
  everyTries: 1_000,
  rows: 10_000,
}

const ExpireRow = z.strictObject({ expire: z.bigint() })
const SpentRow = z.strictObject({ key: z.string(), expire: z.bigint().nullable() })

export function createCounters(db: Db, clock: () => Date) {
  let counted = 0

  /**
   * Counts one try against all of these limits in one statement, so that of many at once exactly as many pass as may.
   * All of them count or none: a try that one limit refuses does not use up the others.
   * @throws AppError `throttled`
   */
  async function spend(counters: readonly Counter[]): Promise<Spent[]> {
    const now = clock().getTime()
    if (counted++ % SWEEP.everyTries === 0) await sweep(now)
    const wanted = counters.map(
      ({ key, points, seconds, unless = null }) => sql`(${key}::text, ${points}::int, ${seconds}::bigint, ${unless}::text)`,
    )
    const due = await db.query(
      sql`
      WITH wanted (key, points, seconds, unless) AS (VALUES ${join(wanted)}),
      due AS (
        SELECT key, points, seconds FROM wanted
        WHERE NOT EXISTS (SELECT FROM throttle AS mark WHERE mark.key = wanted.unless AND mark.expire > ${now}::bigint)),
      spent AS (
        INSERT INTO throttle AS counter (key, points, expire) SELECT key, 1, ${now}::bigint + seconds * 1000 FROM due ORDER BY key
        ON CONFLICT (key) DO UPDATE SET
          points = CASE WHEN counter.expire <= ${now}::bigint THEN 1 ELSE counter.points + 1 END,
          expire = CASE WHEN counter.expire <= ${now}::bigint THEN excluded.expire ELSE counter.expire END
        WHERE counter.expire <= ${now}::bigint OR counter.points < (SELECT due.points FROM due WHERE due.key = counter.key)
        RETURNING key, expire)
      SELECT due.key, spent.expire FROM due LEFT JOIN spent USING (key)`,
      SpentRow,
    )
    const spent = due.flatMap(({ key, expire }) => (expire === null ? [] : [{ key, expire }]))
    if (spent.length === due.length) return spent
    await giveBack(spent)
    const full = due.filter(({ expire }) => expire === null).map(({ key }) => key)
    const rows = await db.query(sql`SELECT expire FROM throttle WHERE key = ANY(${full}::text[])`, ExpireRow)
    throw throttled(Math.max(...rows.map(({ expire }) => Number(expire)), now) - now)
  }

  /**
   * Takes tries back, within the windows that they were counted in. Rows are locked in the order of their keys, here as in `spend`, so that
   * two callers never wait for each other in a circle.
   */
  async function giveBack(spent: readonly Spent[]): Promise<void> {
    if (spent.length > 0) await db.execute(lowering(spent))
  }

  /** Takes tries back and sets a mark, or renews one that has less than it could have, in one statement. `spent` must not be empty. */
  async function giveBackAndMark(spent: readonly Spent[], { key, seconds }: Mark): Promise<void> {
    const expire = clock().getTime() + seconds * 1000
    await db.execute(sql`
      WITH returned AS (${lowering(spent)})
      INSERT INTO throttle AS mark (key, points, expire) VALUES (${key}, 0, ${expire}::bigint)
      ON CONFLICT (key) DO UPDATE SET expire = excluded.expire WHERE mark.expire < excluded.expire`)
  }

  /** A bounded number of rows at a time, and none that another replica holds. */
  async function sweep(now: number): Promise<void> {
    await db.execute(sql`
      DELETE FROM throttle
      WHERE key IN (SELECT key FROM throttle WHERE expire <= ${now}::bigint LIMIT ${SWEEP.rows} FOR UPDATE SKIP LOCKED)`)
  }

  return { spend, giveBack, giveBackAndMark }
}

const lowering = (spent: readonly Spent[]) => sql`
  UPDATE throttle SET points = points - 1 WHERE key IN (
    SELECT key FROM throttle
    WHERE (key, expire) IN (${join(spent.map(({ key, expire }) => sql`(${key}::text, ${expire}::bigint)`))}) ORDER BY key FOR UPDATE)`

function throttled(milliseconds: number): AppError {
  const retryAfter = Math.max(1, Math.ceil(milliseconds / 1000))
  return new AppError('throttled', `Too many attempts. Please try again in ${inWords(retryAfter)}.`, { retryAfter })
}

function inWords(seconds: number): string {
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / MINUTE)} minutes`
}
