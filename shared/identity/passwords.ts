// Passwords: argon2id with OWASP's smallest parameters for servers, as PHC strings.
import { randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import pLimit from 'p-limit'
import { AppError } from '../errors.ts'

/** KiB, passes, lanes. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
/** A hash takes 19 MiB and a core for some 25 ms: more at once would only be slower, and a flood would eat the memory. */
const AT_ONCE = 2
const WAITING = 100

export function makePasswords() {
  const limit = pLimit(AT_ONCE)
  // Compared with when there is no account, so that the answer takes as long. Nobody knows the password.
  let decoy: Promise<string> | undefined

  async function queued<T>(work: () => Promise<T>): Promise<T> {
    if (limit.pendingCount >= WAITING) throw new AppError('unavailable', 'Too many sign-ins at once. Please try again.', { retryAfter: 2 })
    return limit(work)
  }

  return {
    hash: (password: string) => queued(() => hash(password, COST)),
    verify: (stored: string | undefined, password: string) =>
      queued(async () => {
        decoy ??= hash(randomBytes(16), COST)
        const matches = await verify(stored ?? (await decoy), password)
        return matches && stored !== undefined
      }),
  }
}
