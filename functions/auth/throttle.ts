// How often a caller may try to register or log in: three limits a login, so that neither one address nor many guess a password.
// An address that has signed in to an account keeps a budget of its own for it: failures of others do not lock its owner out.
import { createHmac } from 'node:crypto'
import type { Db } from '@todo/prisma'
import { createCounters, type Limit, type Mark } from '../../shared/accounts/counters.ts'
import { AppError } from '../../shared/core/errors.ts'

const MINUTE = 60
const DAY = 24 * 60 * MINUTE

/** Only failed logins count: an office behind one address may sign in all day. */
const LIMITS = {
  /** One address guessing many accounts' passwords. A known address is exempt. */
  login_address: { points: 100, seconds: 15 * MINUTE },
  /** One address guessing one account's password. */
  login_pair: { points: 10, seconds: 15 * MINUTE },
  /** Many addresses guessing one account's password. It locks the owner out at every address but the known ones. */
  login_account: { points: 200, seconds: 60 * MINUTE },
  register_address: { points: 50, seconds: 60 * MINUTE },
} satisfies Record<string, Limit>

/** How long an address stays known to an account after it last signed in. */
const KNOWN_SECONDS = 30 * DAY

export type Throttle = ReturnType<typeof createThrottle>

/** `secret` keys the digests of addresses and emails: a reader of the table cannot find them out by trying all addresses. */
export function createThrottle(db: Db, clock: () => Date, secret: Uint8Array) {
  const counters = createCounters(db, clock)
  // A key of its own, derived from the secret that signs tokens.
  const digestKey = createHmac('sha256', secret).update('throttle').digest()
  const keyOf = (name: string, text: string) => `${name}:${createHmac('sha256', digestKey).update(text).digest('base64url')}`
  const counter = (name: keyof typeof LIMITS, text: string) => ({ key: keyOf(name, text), ...LIMITS[name] })

  return {
    /**
     * Runs a login. A wrong email or password counts; a success makes the address known to the account.
     * `address` is an IPv4 address or an IPv6 /64, `email` is normalised.
     * @throws AppError `throttled`, and what `attempt` throws
     */
    async login<T>({ address, email }: { address: string; email: string }, attempt: () => Promise<T>): Promise<T> {
      const known: Mark = { key: keyOf('login_known', `${address} ${email}`), seconds: KNOWN_SECONDS }
      // Counted before and given back after, so that a burst of parallel guesses is no way around.
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

/** Another failure, such as a database that went away, compared no password and revealed nothing. */
function isWrongGuess(reason: unknown): boolean {
  return reason instanceof AppError && reason.kind === 'unauthenticated'
}
