// The user's word that a call with wide consequences may run. The server gives out a token that names exactly what was asked about, and
// runs it only against that token: a model can neither forge one nor use one for anything else.
import { createHash } from 'node:crypto'
import { jwtVerify, SignJWT } from 'jose'
import type { SigningKeys } from '../../shared/identity/tokens.ts'

/** What a confirmation is good for: these calls, in this order, by this user. */
export type Confirmable = { userId: string; calls: readonly { name: string; arguments: Record<string, unknown> }[] }
export type Confirmations = ReturnType<typeof createConfirmations>

/** Seconds. */
const LIFETIME = 600
/** Tells the token from an access token, which the same secret signs (RFC 8725, section 3.11). */
const TYPE = 'confirmation+jwt'

export function createConfirmations({ current, secrets }: SigningKeys, clock: () => Date) {
  return {
    /** A token (JWT, HS256) that is good for ten minutes. */
    async issue(subject: Confirmable): Promise<string> {
      const secret = secrets.get(current)
      if (!secret) throw new Error(`there is no key ${current}`)
      return new SignJWT({ calls: digest(subject) })
        .setProtectedHeader({ alg: 'HS256', typ: TYPE, kid: current })
        .setSubject(subject.userId)
        .setExpirationTime(Math.floor(clock().getTime() / 1000) + LIFETIME)
        .sign(secret)
    },
    /** Whether the token was issued for exactly this and is still good. */
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

/** JSON with the members of every object in order: equal values have equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part,
  )
}
