// Limits attempts to register and log in. Three limits a login stop one address as well as many from guessing a password.
// An address that has signed in to an account has its own budget for it, so that failures elsewhere do not lock the owner out.
import { createHmac } from 'node:crypto'
import type { Db } from '@todo/prisma'
import { createCounters, type Limit, type Mark } from '../../shared/accounts/counters.ts'
import { AppError } from '../../shared/core/errors.ts'

const MINUTE = 60
const DAY = 24 * 60 * MINUTE

/** Only failed logins count: an office behind one address may sign in all day. */
const LIMITS = {
  /** For one address that guesses many accounts' passwords. A known address is exempt. */
  login_address: { points: 100, seconds: 15 * MINUTE },
  /** For one address that guesses one account's password. */
  login_pair: { points: 10, seconds: 15 * MINUTE },
  /** For many addresses that guess one account's password. It locks the owner out, except at known addresses. */
  login_account: { points: 200, seconds: 60 * MINUTE },
  register_address: { points: 50, seconds: 60 * MINUTE },
} satisfies Record<string, Limit>

/** An address stays known to an account this long after its last login. */
const KNOWN_SECONDS = 30 * DAY

export type Throttle = ReturnType<typeof createThrottle>

/** `secret` keys the digests of addresses and emails, so that a reader of the table cannot recover them by brute force. */
export function createThrottle(db: Db, clock: () => Date, secret: Uint8Array) {
  const counters = createCounters(db, clock)
  // A separate key, derived from the secret that signs tokens.
  const digestKey = createHmac('sha256', secret).update('throttle').digest()
  const keyOf = (name: string, text: string) => `${name}:${createHmac('sha256', digestKey).update(text).digest('base64url')}`
  const counter = (name: keyof typeof LIMITS, text: string) => ({ key: keyOf(name, text), ...LIMITS[name] })

  return {
    /**
     * Runs a login. A wrong email or password counts; a success makes the address known to the account.
     * `address` is an IPv4 address or an IPv6 /64, `email` is normalised.
     * @throws AppError `throttled`, or the error of `attempt`
     */
    async login<T>({ address, email }: { address: string; email: string }, attempt: () => Promise<T>): Promise<T> {
      const known: Mark = { key: keyOf('login_known', `${address} ${email}`), seconds: KNOWN_SECONDS }
      // Count before the attempt and refund after it, so that concurrent guesses cannot exceed the limit.
      const spent = await counters.spend([
        counter('login_pair', `${address} ${email}`),
        { ...counter('login_address', address), unless: known.key },
        { ...counter('login_account', email), unless: known.key },
      ])
      const [result] = await Promise.allSettled([attempt()])
      if (result.status === 'fulfilled') {
        await counters.giveBackAndMark(spent, known)
        return result.value
      }
      if (!isWrongGuess(result.reason)) await counters.giveBack(spent)
      throw result.reason
    },
    /** Counts a registration. @throws AppError `throttled` */
    async register({ address }: { address: string }): Promise<void> {
      await counters.spend([counter('register_address', address)])
    },
  }
}

/** Any other failure, such as a lost database connection, compared no password and revealed nothing. */
function isWrongGuess(reason: unknown): boolean {
  return reason instanceof AppError && reason.kind === 'unauthenticated'
}
