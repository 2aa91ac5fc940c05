// Password hashing: argon2id with OWASP's minimum parameters, as PHC strings.
import { randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import pLimit from 'p-limit'
import { AppError } from '../../shared/core/errors.ts'
import { isCommon } from './common-passwords.ts'

/** KiB, passes, lanes. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
/** A hash takes 19 MiB and a core for about 25 ms: more concurrency would be slower, and a flood would exhaust the memory. */
const hashLimits = { concurrent: 2, waiting: 100 }

const PHC = /^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z\d+/]{11,64}\$[A-Za-z\d+/]{22,86}$/

export function createPasswords() {
  const limit = pLimit(hashLimits.concurrent)
  const decoy = randomHash()

  async function queued<T>(work: () => Promise<T>): Promise<T> {
    if (limit.pendingCount >= hashLimits.waiting)
      throw new AppError('unavailable', 'Too many sign-ins at once. Please try again.', { retryAfter: 2 })
    return limit(work)
  }

  return {
    /** The password's hash as a PHC string. @throws AppError `unavailable` when too many wait */
    hash: (password: string) => queued(() => hash(password, COST)),
    /**
     * Whether `stored` is the password's hash. A missing or malformed hash costs the same work, so that timing reveals no account.
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

/** A random string in the form of a hash, compared with when there is no account. It costs no hashing, which would show in the timing. */
function randomHash(): string {
  const [salt, digest] = [16, 32].map((bytes) => randomBytes(bytes).toString('base64').replaceAll('=', ''))
  return `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}$${salt}$${digest}`
}
