// How often one user may do something a minute: counted in the database, so over all replicas together.
import type { Db } from '@todo/prisma'
import { AppError } from '../core/errors.ts'
import { createCounters } from './counters.ts'

const WINDOW_SECONDS = 60

/** Counts one act of a user. @throws AppError `throttled` with the seconds to wait */
export type UserRate = (userId: string) => Promise<void>

/** `name` distinguishes the counters of one kind of act; `what` is the act's plural in the error message. */
export function createUserRate(
  { db, clock }: { db: Db; clock: () => Date },
  { name, perMinute, what }: { name: string; perMinute: number; what: string },
): UserRate {
  const counters = createCounters(db, clock)
  return async (userId) => {
    try {
      await counters.spend([{ key: `${name}:${userId}`, points: perMinute, seconds: WINDOW_SECONDS }])
    } catch (error) {
      if (!(error instanceof AppError) || error.kind !== 'throttled') throw error
      const { retryAfter = WINDOW_SECONDS } = error
      const detail = `You may have ${perMinute} ${what} a minute. Please try again in ${retryAfter} seconds.`
      throw new AppError('throttled', detail, { retryAfter, cause: error })
    }
  }
}
