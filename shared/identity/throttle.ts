// How often one may try to register or log in. Counted in PostgreSQL, so that all replicas count together.
import { createHash } from 'node:crypto'
import type { Db } from '@todo/prisma'
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'
import { AppError } from '../errors.ts'

const MINUTE = 60

/** What is counted, in tries a time window (seconds). Only failed logins count: an office behind one address may sign in all day. */
const LIMITS = {
  /** One address guessing one account's password. */
  login_pair: { points: 10, duration: 15 * MINUTE },
  /** One address guessing many accounts' passwords. */
  login_address: { points: 100, duration: 15 * MINUTE },
  /** Many addresses guessing one account's password: generous, because it also locks out the owner. */
  login_account: { points: 200, duration: 60 * MINUTE },
  register_address: { points: 50, duration: 60 * MINUTE },
}
type Limit = keyof typeof LIMITS
/** A digest, because the table has room for 255 characters and no business with addresses. */
type Key = [limit: Limit, digest: string]

export type Throttle = ReturnType<typeof makeThrottle>

export function makeThrottle(db: Db) {
  const limiters = Object.fromEntries(
    Object.entries(LIMITS).map(([keyPrefix, limit], index) => [
      keyPrefix,
      new RateLimiterPostgres({
        storeClient: { query: asQuery(db) },
        storeType: 'client',
        tableName: 'throttle',
        tableCreated: true,
        // One of them sweeps for all.
        clearExpiredByTimeout: index === 0,
        keyPrefix,
        ...limit,
      }),
    ]),
  ) as Record<Limit, RateLimiterPostgres>

  async function spend(keys: Key[]): Promise<void> {
    const results = await Promise.allSettled(keys.map(([limit, key]) => limiters[limit].consume(key)))
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    const failure = refusals.find((reason) => !(reason instanceof RateLimiterRes))
    if (failure) throw failure
    if (refusals.length === 0) return
    const retryAfter = Math.max(1, Math.ceil(Math.max(...refusals.map(({ msBeforeNext }) => msBeforeNext)) / 1000))
    throw new AppError('throttled', `Too many attempts. Please try again in ${inWords(retryAfter)}.`, { retryAfter })
  }

  return {
    /** Runs a login; a failed one counts. @throws AppError `throttled` */
    async login<T>({ address, email }: { address: string; email: string }, attempt: () => Promise<T>): Promise<T> {
      const keys: Key[] = [
        ['login_pair', digest(`${address} ${email}`)],
        ['login_address', digest(address)],
        ['login_account', digest(email)],
      ]
      // Counted before and given back after, so that a burst of parallel guesses is no way around.
      await spend(keys)
      const session = await attempt()
      await Promise.all(keys.map(([limit, key]) => limiters[limit].reward(key)))
      return session
    },
    /** Counts a registration. @throws AppError `throttled` */
    register: ({ address }: { address: string }) => spend([['register_address', digest(address)]]),
  }
}

/** What the limiter wants of a PostgreSQL client, on the pool that is there already. */
function asQuery(db: Db) {
  return async ({ text, values }: { text: string; values: unknown[] }) => {
    const rows = await db.$queryRawUnsafe<{ points: number; expire: bigint | null }[]>(text, ...values)
    return { rows: rows.map(({ points, expire }) => ({ points, expire: expire === null ? null : Number(expire) })) }
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

function inWords(seconds: number): string {
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / MINUTE)} minutes`
}
