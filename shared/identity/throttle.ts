// How often one may try to register or log in. Counted in PostgreSQL, so that all replicas count together and a restart forgets nothing.
import { createHash } from 'node:crypto'
import { type Db, Prisma } from '@todo/prisma'
import { AppError } from '../errors.ts'

const { sql, join } = Prisma
const MINUTE = 60

/** What is counted, in tries a time window (seconds). Only failed logins count: an office behind one address may sign in all day. */
const LIMITS = {
  /** One address guessing many accounts' passwords. */
  login_address: { points: 100, duration: 15 * MINUTE },
  /** One address guessing one account's password. */
  login_pair: { points: 10, duration: 15 * MINUTE },
  /** Many addresses guessing one account's password: generous, because it also locks out the owner. */
  login_account: { points: 200, duration: 60 * MINUTE },
  register_address: { points: 50, duration: 60 * MINUTE },
}
type Limit = keyof typeof LIMITS
/** A digest, because the table has no business with addresses. */
type Key = [limit: Limit, digest: string]
/** A try that was counted: the counter, and the window it was counted in. */
type Spent = { key: string; expire: bigint }

/** A process that lives for long clears away what has ended each time it has counted so many tries; any process does with its first. */
const SWEEP_EVERY = 1000

export type Throttle = ReturnType<typeof makeThrottle>

export function makeThrottle(db: Db, clock: () => Date) {
  let counted = 0

  /**
   * Counts a try against all of these limits, in one statement, so that of many at once exactly as many pass as may.
   * All of them or none: who is refused by one limit may not use up the others, or one address could lock an account's owner out.
   */
  async function spend(keys: Key[]): Promise<Spent[]> {
    const now = clock().getTime()
    if (counted++ % SWEEP_EVERY === 0) await sweep(now)
    const wanted = keys.map(
      ([limit, digest]) => sql`(${`${limit}:${digest}`}::text, ${LIMITS[limit].points}::int, ${LIMITS[limit].duration}::int)`,
    )
    const counters = await db.$queryRaw<Spent[]>`
      WITH wanted (key, points, seconds) AS (VALUES ${join(wanted)})
      INSERT INTO throttle AS counter (key, points, expire) SELECT key, 1, ${now}::bigint + seconds * 1000 FROM wanted ORDER BY key
      ON CONFLICT (key) DO UPDATE SET
        points = CASE WHEN counter.expire <= ${now}::bigint THEN 1 ELSE counter.points + 1 END,
        expire = CASE WHEN counter.expire <= ${now}::bigint THEN excluded.expire ELSE counter.expire END
      WHERE counter.expire <= ${now}::bigint OR counter.points < (SELECT wanted.points FROM wanted WHERE wanted.key = counter.key)
      RETURNING key, expire`
    if (counters.length === keys.length) return counters
    await giveBack(counters)
    const names = keys.map(([limit, digest]) => `${limit}:${digest}`).filter((name) => counters.every(({ key }) => key !== name))
    const full = await db.throttle.findMany({ where: { key: { in: names } } })
    throw throttled(Math.max(...full.map(({ expire }) => Number(expire)), now) - now)
  }

  /**
   * Only within the window that a try was counted in: the next one owes it nothing. Rows are locked in the order of their keys, here as
   * above, so that two callers never wait for each other in a circle.
   */
  async function giveBack(spent: Spent[]): Promise<void> {
    if (spent.length === 0) return
    await db.$executeRaw`
      UPDATE throttle SET points = points - 1 WHERE key IN (
        SELECT key FROM throttle
        WHERE (key, expire) IN (${join(spent.map(({ key, expire }) => sql`(${key}::text, ${expire}::bigint)`))}) ORDER BY key FOR UPDATE)`
  }

  /** A bounded piece at a time, and nothing that another replica is at. */
  async function sweep(now: number): Promise<void> {
    await db.$executeRaw`
      DELETE FROM throttle WHERE key IN (SELECT key FROM throttle WHERE expire <= ${now}::bigint LIMIT 10000 FOR UPDATE SKIP LOCKED)`
  }

  return {
    /** Runs a login; one that fails for a wrong email or password counts. @throws AppError `throttled`, and what `attempt` throws */
    async login<T>({ address, email }: { address: string; email: string }, attempt: () => Promise<T>): Promise<T> {
      // Counted before and given back after, so that a burst of parallel guesses is no way around.
      const spent = await spend([
        ['login_address', digest(address)],
        ['login_pair', digest(`${address} ${email}`)],
        ['login_account', digest(email)],
      ])
      const [result] = await Promise.allSettled([attempt()])
      if (!isWrongGuess(result)) await giveBack(spent)
      if (result.status === 'rejected') throw result.reason
      return result.value
    },
    /** Counts a registration. @throws AppError `throttled` */
    async register({ address }: { address: string }): Promise<void> {
      await spend([['register_address', digest(address)]])
    },
  }
}

/** An attempt that never got to compare passwords, because the database went away, say, told its caller nothing. */
function isWrongGuess(result: PromiseSettledResult<unknown>): boolean {
  return result.status === 'rejected' && result.reason instanceof AppError && result.reason.kind === 'unauthenticated'
}

function throttled(milliseconds: number): AppError {
  const retryAfter = Math.max(1, Math.ceil(milliseconds / 1000))
  return new AppError('throttled', `Too many attempts. Please try again in ${inWords(retryAfter)}.`, { retryAfter })
}

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

function inWords(seconds: number): string {
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / MINUTE)} minutes`
}
