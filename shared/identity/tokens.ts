// Access tokens of our own: JWTs (RFC 7519, profile RFC 9068), signed with HS256. A `kid` names the key, so keys can be rotated.
import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'

/** RFC 9068 section 2.1: distinguishes access tokens from other JWTs signed with the same secret. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

export type SigningKeys = {
  /** Signs new tokens. */
  current: string
  /** Every accepted secret by its `kid`; at least 32 bytes each. */
  secrets: ReadonlyMap<string, Uint8Array>
}

export type OwnIssuer = {
  keys: SigningKeys
  issuer: string
  audience: string
  /** Seconds that a token is valid. */
  lifetime: number
}

/** The secret that signs new tokens. @throws Error when `current` names none */
export function signingSecret({ current, secrets }: SigningKeys): Uint8Array {
  const secret = secrets.get(current)
  if (!secret) throw new Error(`there is no key ${current}`)
  return secret
}

/** Creates a signer of access tokens for our own accounts. */
export function createTokenIssuer({ keys, issuer, audience, lifetime }: OwnIssuer, clock: () => Date) {
  const secret = signingSecret(keys)
  return async function issueToken(user: { id: string; email: string }): Promise<{ token: string; expiresIn: number }> {
    const now = Math.floor(clock().getTime() / 1000)
    const token = await new SignJWT({ email: user.email })
      .setProtectedHeader({ alg: 'HS256', typ: ACCESS_TOKEN_TYPE, kid: keys.current })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(user.id)
      .setIssuedAt(now)
      .setExpirationTime(now + lifetime)
      .setJti(randomUUID())
      .sign(secret)
    return { token, expiresIn: lifetime }
  }
}
