// Confirmation tokens: signed by the server, valid for one user and one exact list of calls. A model can neither forge one nor use it for
// other calls.
import { createHash } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import { canonical } from '../../shared/core/json.ts'
import type { SigningKeys } from '../../shared/identity/tokens.ts'

/** A confirmation is valid for these calls, in this order, by this user. */
export type Confirmable = { userId: string; calls: readonly { name: string; arguments: Record<string, unknown> }[] }
export type Confirmations = ReturnType<typeof createConfirmations>

const LIFETIME_SECONDS = 600
/** Distinguishes it from access tokens, which the same secret signs (RFC 8725, section 3.11). */
const TYPE = 'confirmation+jwt'

export function createConfirmations({ current, secrets }: SigningKeys, clock: () => Date) {
  return {
    /** A token (JWT, HS256), valid for ten minutes. */
    async issue(subject: Confirmable): Promise<string> {
      const secret = secrets.get(current)
      if (!secret) throw new Error(`there is no key ${current}`)
      return new SignJWT({ calls: digest(subject) })
        .setProtectedHeader({ alg: 'HS256', typ: TYPE, kid: current })
        .setSubject(subject.userId)
        .setExpirationTime(Math.floor(clock().getTime() / 1000) + LIFETIME_SECONDS)
        .sign(secret)
    },
    /** Whether the token was issued for exactly these calls and has not expired. */
    async confirms(token: string, subject: Confirmable): Promise<boolean> {
      try {
        const key = ({ kid }: { kid?: string }) => secrets.get(kid ?? '') ?? Promise.reject(new Error('unknown key'))
        const { payload } = await jwtVerify(token, key, {
          algorithms: ['HS256'],
          typ: TYPE,
          subject: subject.userId,
          requiredClaims: ['exp'],
          currentDate: clock(),
        })
        return payload.calls === digest(subject)
      } catch {
        return false
      }
    },
  }
}

const digest = ({ calls }: Confirmable) =>
  createHash('sha256')
    .update(canonical(calls.map(({ name, arguments: given }) => ({ name, given }))))
    .digest('base64url')
