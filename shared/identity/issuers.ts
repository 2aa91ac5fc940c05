// Verifies access tokens by a table of issuers. A token's `iss` selects exactly one profile of rules; keys are never tried in turn
// (RFC 8725, section 3).
import { decodeJwt, decodeProtectedHeader, errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import { z } from 'zod'
import { type Actor, ME } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import { text } from '../core/text.ts'
import { createRemoteKeys } from './remote-keys.ts'
import { ACCESS_TOKEN_TYPE, type OwnIssuer } from './tokens.ts'

export type ForeignIssuer = {
  issuer: string
  audience: string
  /** Where the issuer publishes its public keys (RFC 7517). */
  jwksUrl: string
}

export type VerifyToken = (token: string) => Promise<Actor>

/** Longer tokens are rejected before decoding; ours and Better Auth's are far shorter. */
const MAX_TOKEN_LENGTH = 8192

type Profile = {
  /** The accepted `typ` headers; undefined accepts a missing one. */
  types: ReadonlySet<string | undefined>
  options: JWTVerifyOptions
  key: JWTVerifyGetKey
  claims: z.ZodType<Claims>
  issuer: string
  foreign: boolean
}
type Claims = { sub: string; exp: number; email?: string | null | undefined; name?: string | null | undefined; scope?: string | undefined }

/** The form of our own accounts' ids (RFC 9562, UUIDv7). A foreign subject of this form is rejected: it could be the id of one of our accounts. */
const OWN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

const seconds = z.number().int().positive().max(253_402_300_799)
const claims = {
  exp: seconds,
  email: z.string().max(254).nullish().catch(null),
  // It is stored, so it must be storable text.
  name: text(1, 255).nullish().catch(null),
  scope: z.string().max(1000).optional(),
}
const OwnClaims = z.object({ ...claims, sub: z.string().regex(OWN_ID), iat: seconds, jti: z.string() })
const ForeignClaims = z.object({
  ...claims,
  sub: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[^\p{C}/\\]+$/u)
    // Paths use `me` for the caller, so it would be ambiguous as an id.
    .refine((sub) => !OWN_ID.test(sub) && sub !== ME),
})

/**
 * Creates a verifier for our own access tokens and a foreign issuer's. It never queries the database.
 * It throws AppError `unauthenticated` for an invalid token, `unavailable` when the issuer's keys cannot be fetched.
 * `report` gets the first fetch failure of each outage.
 */
export function createTokenVerifier(
  own: OwnIssuer,
  foreign: ForeignIssuer | undefined,
  clock: () => Date,
  report: (error: unknown) => void = () => {},
): VerifyToken {
  const profiles = new Map<string, Profile>([[own.issuer, ownProfile(own)]])
  if (foreign) {
    if (profiles.has(foreign.issuer)) throw new Error(`BETTER_AUTH_ISSUER: ${foreign.issuer} is the name of our own issuer`)
    profiles.set(foreign.issuer, foreignProfile(foreign, createRemoteKeys(foreign.jwksUrl, clock, report)))
  }
  return remembering(clock, async function verifyToken(token) {
    try {
      if (token.length > MAX_TOKEN_LENGTH) throw refused()
      const { iss } = decodeJwt(token)
      const profile = typeof iss === 'string' ? profiles.get(iss) : undefined
      const { typ, kid } = decodeProtectedHeader(token)
      if (!profile?.types.has(typ) || typeof kid !== 'string') throw refused()
      const { payload } = await jwtVerify(token, profile.key, { ...profile.options, currentDate: clock() })
      const { sub, exp, email, name, scope } = profile.claims.parse(payload)
      return {
        userId: sub,
        issuer: profile.foreign ? profile.issuer : null,
        email: email ?? null,
        name: name ?? null,
        expiresAt: new Date(exp * 1000),
        readOnly: isReadOnly(scope),
      }
    } catch (error) {
      if (error instanceof AppError) throw error
      throw error instanceof errors.JWTExpired ? expired() : refused(error)
    }
  })
}

const REMEMBERED = { tokens: 1_000, milliseconds: 60_000 }

/**
 * Caches verified tokens for a minute; only the expiry is checked for each request. Foreign keys are cached for ten minutes, so this adds
 * little. Rejected tokens are not cached.
 */
function remembering(clock: () => Date, verify: VerifyToken): VerifyToken {
  const good = new Map<string, { actor: Actor; until: number }>()
  return async (token) => {
    const now = clock().getTime()
    const known = good.get(token)
    if (known && now < known.until) {
      if (now >= known.actor.expiresAt.getTime()) throw expired()
      return known.actor
    }
    const actor = await verify(token)
    good.delete(token)
    const [oldest] = good.keys()
    if (good.size >= REMEMBERED.tokens && oldest !== undefined) good.delete(oldest)
    good.set(token, { actor, until: now + REMEMBERED.milliseconds })
    return actor
  }
}

const expired = () => new AppError('unauthenticated', 'The access token has expired.')

/** A token without scopes has all rights of its user; with scopes (RFC 8693, section 4.2) it needs `todos:write` to write. */
function isReadOnly(scope: string | undefined): boolean {
  const scopes = (scope ?? '').split(' ').filter((name) => name.startsWith('todos:'))
  return scopes.length > 0 && !scopes.includes('todos:write')
}

/** One answer for every reason, so that attackers learn nothing by trial. */
const refused = (cause?: unknown) => new AppError('unauthenticated', 'The access token is not valid.', { cause })

function ownProfile({ keys, issuer, audience }: OwnIssuer): Profile {
  // Imported once, because jose would import a raw secret for every token.
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = new Map(
    [...keys.secrets].map(([id, secret]) => [id, crypto.subtle.importKey('raw', secret, algorithm, false, ['verify'])]),
  )
  return {
    types: new Set([ACCESS_TOKEN_TYPE]),
    options: { algorithms: ['HS256'], issuer, audience },
    key: async ({ kid }) => {
      const key = imported.get(kid ?? '')
      if (!key) throw refused()
      return key
    },
    claims: OwnClaims,
    issuer,
    foreign: false,
  }
}

function foreignProfile({ issuer, audience }: ForeignIssuer, key: JWTVerifyGetKey): Profile {
  return {
    // Better Auth's tokens have no `typ`; its cookie cache, signed with the same keys, has `better-auth.session-cache+jwt`.
    types: new Set([undefined, 'JWT']),
    options: { algorithms: ['EdDSA'], issuer, audience },
    key,
    claims: ForeignClaims,
    issuer,
    foreign: true,
  }
}
