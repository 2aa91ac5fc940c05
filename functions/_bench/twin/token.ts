// The twins' check of an access token: the rules of shared/identity/issuers.ts for tokens of our own, written out once with jose; and,
// as there, one that was good is not verified again for a minute.
import { type JWTVerifyOptions, jwtVerify } from 'jose'
import { Refusal } from './http.ts'

const OPTIONS: JWTVerifyOptions = {
  algorithms: ['HS256'],
  typ: 'at+jwt',
  issuer: process.env.TOKEN_ISSUER ?? 'todo-auth',
  audience: process.env.TOKEN_AUDIENCE ?? 'todo-api',
  requiredClaims: ['sub', 'iat', 'exp', 'jti'],
}
const OWN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i
const KID = '1'
const secret = Buffer.from(process.env.BETTER_AUTH_SECRET ?? '')

type Verified = { sub: string; ends: number; until: number }
const REMEMBERED = 1_000
const good = new Map<string, Verified>()

/** The user's id. */
export async function userOf(authorization: string | undefined): Promise<string> {
  const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? '')?.[1]
  if (!token) throw new Refusal(401, 'An access token is needed: Authorization: Bearer <token>.')
  try {
    const now = Date.now()
    const known = good.get(token)
    const { sub, ends } = known && now < known.until ? known : await verify(token, now)
    if (now >= ends) throw new Error('expired')
    return sub
  } catch {
    throw new Refusal(401, 'The access token is not valid.')
  }
}

async function verify(token: string, now: number): Promise<Verified> {
  if (token.length > 8192) throw new Error('too long')
  const { payload, protectedHeader } = await jwtVerify(token, secret, OPTIONS)
  if (protectedHeader.kid !== KID || !payload.sub || !OWN_ID.test(payload.sub)) throw new Error('not ours')
  const verified = { sub: payload.sub, ends: (payload.exp ?? 0) * 1000, until: now + 60_000 }
  const [oldest] = good.keys()
  if (good.size >= REMEMBERED && oldest !== undefined) good.delete(oldest)
  good.set(token, verified)
  return verified
}
