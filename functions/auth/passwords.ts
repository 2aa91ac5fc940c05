// Passwords: argon2id with OWASP's smallest parameters for servers, as PHC strings.
import { randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import pLimit from 'p-limit'
import { AppError } from '../../shared/core/errors.ts'
import { isCommon } from './common-passwords.ts'

/** KiB, passes, lanes. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
/** A hash takes 19 MiB and a core for some 25 ms: more at once would only be slower, and a flood would eat the memory. */
const AT_ONCE = 2
const WAITING = 100

const PHC = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z\d+/]{11,64}\$[A-Za-z\d+/]{22,86}$/

export function createPasswords() {
  const limit = pLimit(AT_ONCE)
  const decoy = randomHash()

  async function queued<T>(work: () => Promise<T>): Promise<T> {
    if (limit.pendingCount >= WAITING) throw new AppError('unavailable', 'Too many sign-ins at once. Please try again.', { retryAfter: 2 })
    return limit(work)
  }

  return {
    /** A PHC string. @throws AppError `unavailable` when too many wait */
    hash: (password: string) => queued(() => hash(password, COST)),
    /**
     * Whether `stored` is the password's hash. The work is the same when there is none, or one that nothing can be compared with.
     * @throws AppError `unavailable` when too many wait
     */
    verify: (stored: string | undefined, password: string) =>
      queued(async () => {
        const comparable = stored !== undefined && PHC.test(stored)
        const matches = await verify(comparable ? stored : decoy, password)
        return matches && comparable
      }),
    isCommon,
  }
}

/** What a hash looks like, and no password's: compared with when there is no account. Hashing one first would show in the time. */
function randomHash(): string {
  const [salt, digest] = [16, 32].map((bytes) => randomBytes(bytes).toString('base64').replaceAll('=', ''))
  return `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}$${salt}$${digest}`
}
