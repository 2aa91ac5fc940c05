// Tokens as attackers make them: written by hand and really signed, because a library would refuse to make most of them.
import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { startServer } from '../testing/http-server.ts'
import { createTokenVerifier, type ForeignIssuer } from './issuers.ts'
import { createTokenIssuer, type OwnIssuer } from './tokens.ts'

const clock = () => new Date()
const now = () => Math.floor(Date.now() / 1000)
const SECRETS = { 1: Buffer.from('the old secret of at least 32 bytes'), 2: Buffer.from('the new secret of at least 32 bytes') }
const ISSUER = 'https://app.example.com'
const ed25519 = generateKeyPairSync('ed25519')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = (key: KeyObject) => key.export({ format: 'jwk' })

const own: OwnIssuer = {
  keys: {
    current: '2',
    secrets: new Map([
      ['2', SECRETS[2]],
      ['1', SECRETS[1]],
    ]),
  },
  issuer: 'todo-auth',
  audience: 'todo-api',
  lifetime: 1800,
}

/** A server that publishes keys, as `answer` has it. */
const KEYS = JSON.stringify({ keys: [{ ...jwk(ed25519.publicKey), kid: 'ed', alg: 'EdDSA' }] })
const respond =
  (body: string, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status).end(body)
  }
const published = { fetched: 0, elsewhere: 0, answer: respond(KEYS) as (response: ServerResponse) => void }
const server = await startServer((request, response) => {
  if (request.url === '/elsewhere') {
    published.elsewhere++
    return respond(KEYS)(response)
  }
  published.fetched++
  published.answer(response)
})
beforeEach(() => {
  published.answer = respond(KEYS)
})
afterAll(server.stop)

const foreign: ForeignIssuer = {
  issuer: ISSUER,
  audience: ISSUER,
  jwksUrl: `${server.url}/jwks`,
}
const verify = createTokenVerifier(own, foreign, clock)

type Part = Record<string, unknown> | string
const base64url = (part: Part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
const hmac = (key: string | Buffer, hash = 'sha256') => {
  return (input: string) => createHmac(hash, key).update(input).digest('base64url')
}
const eddsa =
  (key: KeyObject = ed25519.privateKey) =>
  (input: string) =>
    sign(null, Buffer.from(input), key).toString('base64url')
const rs256 = (input: string) => sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')

function compact(header: Part, payload: Part, signed: (input: string) => string): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${signed(input)}`
}

const ownHeader = { alg: 'HS256', typ: 'at+jwt', kid: '2' }
const ownClaims = () => ({
  iss: 'todo-auth',
  aud: 'todo-api',
  sub: uuidv7(),
  email: 'ada@example.com',
  iat: now(),
  exp: now() + 60,
  jti: randomUUID(),
})
const ownToken = (header: Part = {}, claims: Part = {}, signed = hmac(SECRETS[2])) =>
  compact(
    typeof header === 'string' ? header : { ...ownHeader, ...header },
    typeof claims === 'string' ? claims : { ...ownClaims(), ...claims },
    signed,
  )

const foreignHeader = { alg: 'EdDSA', kid: 'ed' }
const foreignClaims = () => ({ iss: ISSUER, aud: ISSUER, sub: 'Zk3pQ9vX1bT7mR5wY2nL8cD4fG6hJ0sA', iat: now(), exp: now() + 60 })
const foreignToken = (header: Part = {}, claims: Part = {}, signed = eddsa()) =>
  compact(
    typeof header === 'string' ? header : { ...foreignHeader, ...header },
    typeof claims === 'string' ? claims : { ...foreignClaims(), ...claims },
    signed,
  )

const REFUSED = { name: 'AppError', kind: 'unauthenticated', message: 'The access token is not valid.' }
const EXPIRED = { ...REFUSED, message: 'The access token has expired.' }
/** JSON of an object without one of its members. */
const without = (object: Record<string, unknown>, name: string) => ({ ...object, [name]: undefined })

describe('a good token', () => {
  it('of our own says who, how long, and that they may write', async () => {
    const sub = uuidv7()
    const exp = now() + 60
    expect(await verify(ownToken({}, { sub, exp }))).toEqual({
      userId: sub,
      issuer: null,
      email: 'ada@example.com',
      name: null,
      expiresAt: new Date(exp * 1000),
      readOnly: false,
    })
  })

  it('is what our own issuer makes', async () => {
    const user = { id: uuidv7(), email: 'ada@example.com' }
    const { token, expiresIn } = await createTokenIssuer(own, clock)(user)
    expect(await verify(token)).toMatchObject({ userId: user.id, email: user.email, issuer: null })
    expect(expiresIn).toBe(1800)
  })

  it('of the other issuer has that issuer in its actor', async () => {
    expect(await verify(foreignToken({}, { name: 'Ada', email: 'ada@example.com' }))).toMatchObject({
      userId: foreignClaims().sub,
      issuer: ISSUER,
      email: 'ada@example.com',
      name: 'Ada',
    })
    expect(await verify(foreignToken({ typ: 'JWT' }, { aud: ['someone', ISSUER] }))).toMatchObject({ issuer: ISSUER })
  })

  it.each([
    [undefined, false],
    ['', false],
    ['openid profile', false],
    ['todos:read', true],
    ['openid todos:read', true],
    ['todos:read todos:write', false],
    ['todos:write', false],
    ['todos:writes', true],
  ])('with the scope %o may only read: %o', async (scope, readOnly) => {
    expect(await verify(ownToken({}, { scope }))).toMatchObject({ readOnly })
    expect(await verify(foreignToken({}, { scope }))).toMatchObject({ readOnly })
  })

  it.each([['A\u0000da'], ['\ud800'], ['x'.repeat(300)], [''], [42], [null]])(
    'of the other issuer may have a name that is none: %o',
    async (name) => {
      expect(await verify(foreignToken({}, { name, email: name }))).toMatchObject({ name: null })
    },
  )
})

describe('an own token is refused', () => {
  const claims = JSON.stringify(ownClaims())
  it.each<[string, () => string]>([
    ['unsigned', () => ownToken({ alg: 'none' }, {}, () => '')],
    ['unsigned, in another case', () => ownToken({ alg: 'nOnE' }, {}, () => '')],
    ['unsigned, under an honest header', () => ownToken({}, {}, () => '')],
    ['with two algorithms', () => ownToken(`{"alg":"HS256","typ":"at+jwt","kid":"2","alg":"none"}`, {}, () => '')],
    ['with another HMAC', () => ownToken({ alg: 'HS512' }, {}, hmac(SECRETS[2], 'sha512'))],
    ['signed with RSA', () => ownToken({ alg: 'RS256' }, {}, rs256)],
    ['signed with the other issuer’s key', () => ownToken({ alg: 'EdDSA', kid: 'ed' }, {}, eddsa())],
    ['signed with a public key', () => ownToken({}, {}, hmac(rsa.publicKey.export({ type: 'spki', format: 'pem' })))],
    ['signed with an empty secret', () => ownToken({}, {}, hmac(''))],
    ['signed with a secret that its kid does not name', () => ownToken({ kid: '1' }, {}, hmac(SECRETS[2]))],
    ['with its own key along', () => ownToken({ jwk: { kty: 'oct', k: base64url('mine') } }, {}, hmac('mine'))],
    ['with a public key of its own along', () => ownToken({ alg: 'RS256', jwk: jwk(rsa.publicKey) }, {}, rs256)],
    ['with an address for its key', () => ownToken({ alg: 'EdDSA', jku: foreign.jwksUrl, kid: 'ed' }, {}, eddsa())],
    ['with an address for its certificate', () => ownToken({ alg: 'RS256', x5u: foreign.jwksUrl }, {}, rs256)],
    ['with a header that must be understood', () => ownToken({ crit: ['x'], x: 1 })],
    ['with a payload that is not encoded', () => ownToken({ crit: ['b64'], b64: false })],
    ['without a kid', () => ownToken(without(ownHeader, 'kid'))],
    ['with an unknown kid', () => ownToken({ kid: '3' })],
    ['with an empty kid', () => ownToken({ kid: '' })],
    ['with a kid that every object has', () => ownToken({ kid: '__proto__' })],
    ['with a kid that is a number', () => ownToken({ kid: 2 })],
    ['with a path for a kid', () => ownToken({ kid: '../../dev/null' }, {}, hmac(''))],
    ['without a typ', () => ownToken(without(ownHeader, 'typ'))],
    ['with the typ JWT', () => ownToken({ typ: 'JWT' })],
    ['with a typ that is no text', () => ownToken({ typ: ['at+jwt'] })],
    ['for someone else', () => ownToken({}, { aud: 'another-api' })],
    ['for nobody', () => ownToken({}, { aud: [] })],
    ['of an unknown issuer', () => ownToken({}, { iss: 'todo-auth2' })],
    ['of an issuer every object has', () => ownToken({}, { iss: 'constructor' })],
    ['of a list of issuers', () => ownToken({}, { iss: ['todo-auth'] })],
    ['of two issuers, the last of which is another', () => ownToken({}, `${claims.slice(0, -1)},"iss":"${ISSUER}"}`)],
    ...Object.keys(without(ownClaims(), 'email'))
      .filter((name) => name !== 'email')
      .map((name): [string, () => string] => [`without ${name}`, () => ownToken({}, without(ownClaims(), name))]),
    ...[42, null, {}, [uuidv7()], '', 'ada', 'Zk3pQ9vX1bT7mR5wY2nL8cD4fG6hJ0sA', `${uuidv7()}\n`].map((sub): [string, () => string] => [
      `with the sub ${JSON.stringify(sub)}`,
      () => ownToken({}, { sub }),
    ]),
    ...['1e400', '"4102444800"', 'null', '[4102444800]', '4102444800.5', '253402300800'].map((exp): [string, () => string] => [
      `with the exp ${exp}`,
      () => ownToken({}, claims.replace(/"exp":\d+/, `"exp":${exp}`)),
    ]),
    ['before its time', () => ownToken({}, { nbf: now() + 60 })],
    ['with a scope that is no text', () => ownToken({}, { scope: ['todos:read'] })],
    ['over 8 KiB', () => ownToken({}, { padding: 'x'.repeat(8192) })],
    ['cut', () => ownToken().slice(0, -1)],
    ['cut before its signature', () => ownToken().split('.').slice(0, 2).join('.')],
    ['with a signature of another', () => `${ownToken().split('.').slice(0, 2).join('.')}.${ownToken().split('.')[2]}`],
    ['with something behind it', () => `${ownToken()}.${base64url('{}')}`],
    ['in standard base64', () => ownToken().replace('.', '+.')],
    ['with a payload that is no object', () => ownToken({}, '[]')],
    ['with a payload that is no JSON', () => ownToken({}, '{"iss":"todo-auth"')],
    ['encrypted', () => `${base64url({ alg: 'dir', enc: 'A256GCM' })}....`],
    ['of nothing', () => ''],
    ['of dots', () => '..'],
    ['of garbage', () => 'garbage'],
    ['of much garbage', () => 'x'.repeat(100_000)],
  ])('%s', async (_attack, token) => {
    await expect(verify(token())).rejects.toMatchObject(REFUSED)
  })

  it('when it has expired, to the second', async () => {
    await expect(verify(ownToken({}, { exp: now() - 1 }))).rejects.toMatchObject(EXPIRED)
    await expect(verify(foreignToken({}, { exp: now() - 1 }))).rejects.toMatchObject(EXPIRED)
    const exp = now() + 60
    const at = (milliseconds: number) => createTokenVerifier(own, foreign, () => new Date(milliseconds))(ownToken({}, { exp }))
    await expect(at(exp * 1000)).rejects.toMatchObject(EXPIRED)
    await expect(at(exp * 1000 - 1)).resolves.toMatchObject({ issuer: null })
  })

  it('unless a repeated claim is read the same way by every part of the check', async () => {
    const sub = uuidv7()
    const doubled = ownToken({}, `${claims.slice(0, -1)},"sub":"${sub}"}`)
    expect(await verify(doubled)).toMatchObject({ userId: sub })
  })
})

describe("the other issuer's token is refused", () => {
  const publicKey = ed25519.publicKey
  const x = Buffer.from(String(jwk(publicKey).x), 'base64url')
  const stranger = generateKeyPairSync('ed25519').privateKey
  it.each<[string, () => string]>([
    ['unsigned', () => foreignToken({ alg: 'none' }, {}, () => '')],
    ['signed by a stranger', () => foreignToken({}, {}, eddsa(stranger))],
    ['with the public key as a secret, raw', () => foreignToken({ alg: 'HS256' }, {}, hmac(x))],
    ['with the public key as a secret, as it is written', () => foreignToken({ alg: 'HS256' }, {}, hmac(String(jwk(publicKey).x)))],
    [
      'with the public key as a secret, PEM',
      () => {
        return foreignToken({ alg: 'HS256' }, {}, hmac(publicKey.export({ type: 'spki', format: 'pem' })))
      },
    ],
    [
      'with the public key as a secret, DER',
      () => {
        return foreignToken({ alg: 'HS256' }, {}, hmac(publicKey.export({ type: 'spki', format: 'der' })))
      },
    ],
    ['with the public key as a secret, JWK', () => foreignToken({ alg: 'HS256' }, {}, hmac(JSON.stringify(jwk(publicKey))))],
    ['signed with our secret', () => foreignToken({ alg: 'HS256', kid: '2' }, {}, hmac(SECRETS[2]))],
    ['with its own key along', () => foreignToken({ jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AA' } }, {}, eddsa(stranger))],
    ['with another algorithm', () => foreignToken({ alg: 'RS256' }, {}, rs256)],
    ['without a kid', () => foreignToken(without(foreignHeader, 'kid'))],
    ['with an unknown kid', () => foreignToken({ kid: 'unknown' })],
    ['as our own access token', () => foreignToken({ typ: 'at+jwt' })],
    [
      'as the cookie cache that it is',
      () => {
        const claims = { sid: 's', session: {}, user: {}, aud: 'better-auth:session-cache' }
        return foreignToken({ typ: 'better-auth.session-cache+jwt' }, claims)
      },
    ],
    ['as a cookie cache that has all of the claims', () => foreignToken({ typ: 'better-auth.session-cache+jwt' })],
    ['for someone else', () => foreignToken({}, { aud: 'todo-api' })],
    ['that says it is ours', () => foreignToken({}, { iss: 'todo-auth', aud: 'todo-api', sub: uuidv7() })],
    [
      'that says it is ours, in our form',
      () => {
        const claims = { ...ownClaims() }
        return foreignToken({ typ: 'at+jwt' }, claims)
      },
    ],
    ...['iss', 'aud', 'sub', 'exp'].map((name): [string, () => string] => [
      `without ${name}`,
      () => foreignToken({}, without(foreignClaims(), name)),
    ]),
    ['with an id of ours', () => foreignToken({}, { sub: uuidv7() })],
    ['with an id of ours in capitals', () => foreignToken({}, { sub: uuidv7().toUpperCase() })],
    ...[42, null, '', 'a/b', '..\\b', 'a\u0000', 'a\nb', 'a\u200bb', '\ud800', 'x'.repeat(256), 'me'].map((sub): [string, () => string] => [
      `with the sub ${JSON.stringify(sub)}`,
      () => foreignToken({}, { sub }),
    ]),
  ])('%s', async (_attack, token) => {
    await expect(verify(token())).rejects.toMatchObject(REFUSED)
  })

  it('when it is a cookie cache signed with the secret that both know', async () => {
    const cache = compact({ alg: 'HS256' }, { session: {}, user: { id: uuidv7() }, iat: now(), exp: now() + 60 }, hmac(SECRETS[2]))
    await expect(verify(cache)).rejects.toMatchObject(REFUSED)
  })

  it('when no other issuer is known', async () => {
    await expect(createTokenVerifier(own, undefined, clock)(foreignToken())).rejects.toMatchObject(REFUSED)
  })

  it('when ours is presented as theirs', async () => {
    await expect(verify(ownToken({}, { iss: ISSUER, aud: ISSUER }))).rejects.toMatchObject(REFUSED)
    await expect(verify(ownToken({ typ: 'JWT' }, { iss: ISSUER, aud: ISSUER, sub: 'someone' }))).rejects.toMatchObject(REFUSED)
  })

  it('when both issuers would have one name: that does not even start', () => {
    expect(() => createTokenVerifier(own, { ...foreign, issuer: own.issuer }, clock)).toThrow(/^BETTER_AUTH_ISSUER: /)
  })
})

describe('rotating the secret', () => {
  const onlyNew = createTokenVerifier({ ...own, keys: { current: '2', secrets: new Map([['2', SECRETS[2]]]) } }, undefined, clock)
  it('signs with the new secret and accepts the old one until it is removed', async () => {
    const { token } = await createTokenIssuer(own, clock)({ id: uuidv7(), email: 'ada@example.com' })
    const old = ownToken({ kid: '1' }, {}, hmac(SECRETS[1]))
    expect(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())).toEqual(ownHeader)
    for (const good of [token, old]) await expect(verify(good)).resolves.toMatchObject({ issuer: null })
    await expect(onlyNew(token)).resolves.toMatchObject({ issuer: null })
    await expect(onlyNew(old)).rejects.toMatchObject(REFUSED)
  })
})

describe("the other issuer's keys", () => {
  const UNAVAILABLE = { name: 'AppError', kind: 'unavailable', retryAfter: 5 }
  const SECOND = 1_000
  const MINUTE = 60 * SECOND
  const HOUR = 60 * MINUTE
  /** Writes for as long as the caller reads. */
  const endless = (response: ServerResponse) => {
    response.on('drain', () => response.write(' '.repeat(65_536)))
    response.write(' '.repeat(65_536))
  }
  const FAILURES: [string, (response: ServerResponse) => void][] = [
    ['status 500', respond(KEYS, 500)],
    ['status 404', respond('{}', 404)],
    ['no JSON', respond('no JSON')],
    ['another form', respond('{"keys":"none"}')],
    ['5 MB', respond(JSON.stringify({ ...JSON.parse(KEYS), padding: 'x'.repeat(5_000_000) }))],
    ['a body without an end', endless],
    ['a redirect', (response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
    ['an answer that is cut', (response) => void response.writeHead(200, { 'content-length': 1_000 }).write('{', () => response.destroy())],
  ]

  /** A verifier with its own clock, and its reports. Each token is a new one, because verified tokens are cached. */
  function verifier() {
    const offset = { milliseconds: 0 }
    const at = () => new Date(Date.now() + offset.milliseconds)
    const reports: unknown[] = []
    const verifyAt = createTokenVerifier(own, foreign, at, (error) => reports.push(error))
    const token = (header = {}) => foreignToken(header, { exp: Math.floor(at().getTime() / 1000) + 60, jti: randomUUID() })
    return {
      reports,
      pass: (milliseconds: number) => {
        offset.milliseconds += milliseconds
      },
      check: (header = {}) => verifyAt(token(header)),
      own: () => verifyAt(ownToken({}, { exp: now() + 60 })),
    }
  }
  const fetchesOf = async (work: () => Promise<unknown>) => {
    const before = published.fetched
    await work()
    return published.fetched - before
  }

  it.each(FAILURES)(
    'answered with %s are unavailable, our own tokens are not, and 5 s later they are fetched again',
    async (_case, answer) => {
      const { check, pass, own, reports } = verifier()
      published.answer = answer
      await expect(check()).rejects.toMatchObject(UNAVAILABLE)
      await expect(own()).resolves.toMatchObject({ issuer: null })
      published.answer = respond(KEYS)
      pass(4 * SECOND)
      await expect(check()).rejects.toMatchObject(UNAVAILABLE)
      pass(2 * SECOND)
      await expect(check()).resolves.toMatchObject({ issuer: ISSUER })
      expect(reports).toHaveLength(1)
      expect(published.elsewhere).toBe(0)
    },
  )

  it('are unavailable when the port is closed', async () => {
    const closed = createTokenVerifier(own, { ...foreign, jwksUrl: 'http://127.0.0.1:9/jwks' }, clock)
    await expect(closed(foreignToken())).rejects.toMatchObject(UNAVAILABLE)
  })

  it('are read no further than their limit', async () => {
    let written = 0
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    published.answer = (response) => {
      const more = () => {
        written += 65_536
        response.write(' '.repeat(65_536))
      }
      response.on('drain', more).on('close', resolve)
      more()
    }
    await expect(verifier().check()).rejects.toMatchObject(UNAVAILABLE)
    await closed
    // Most of it waits in the buffers of two sockets.
    expect(written).toBeLessThan(16_000_000)
  })

  it('are fetched once for many tokens at once, and not for every kid that a caller makes up', async () => {
    const { check } = verifier()
    const fetches = await fetchesOf(async () => {
      await Promise.all(Array.from({ length: 20 }, () => check()))
      for (let n = 0; n < 100; n++) await expect(check({ kid: `made up ${n}` })).rejects.toMatchObject(REFUSED)
    })
    expect(fetches).toBe(1)
  })

  it('are fetched once for 100 kids that a caller makes up while the issuer fails', async () => {
    const { check } = verifier()
    published.answer = respond('', 500)
    const fetches = await fetchesOf(async () => {
      for (let n = 0; n < 100; n++) await expect(check({ kid: `made up ${n}` })).rejects.toMatchObject(UNAVAILABLE)
    })
    expect(fetches).toBe(1)
  })

  it('are fetched again for an unknown kid 30 s after the last time, when the issuer has a new key', async () => {
    const { check, pass } = verifier()
    await check()
    published.answer = respond(KEYS.replace('"ed"', '"new"'))
    pass(29 * SECOND)
    await expect(check({ kid: 'new' })).rejects.toMatchObject(REFUSED)
    pass(2 * SECOND)
    await expect(check({ kid: 'new' })).resolves.toMatchObject({ issuer: ISSUER })
  })

  it('are no longer good 10 minutes after the issuer has withdrawn them', async () => {
    const { check, pass } = verifier()
    await check()
    published.answer = respond(KEYS.replace('"ed"', '"new"'))
    pass(9 * MINUTE)
    await expect(check()).resolves.toMatchObject({ issuer: ISSUER })
    pass(2 * MINUTE)
    await expect(check()).rejects.toMatchObject(REFUSED)
  })

  it.each(FAILURES)(
    'that are known outlive an hour of %s, are tried for every 5 s at most, and then are fresh again',
    async (_case, answer) => {
      const { check, pass, reports } = verifier()
      await check()
      published.answer = answer
      const fetches = await fetchesOf(async () => {
        for (let minute = 0; minute < 70; minute++) {
          pass(MINUTE)
          await expect(check()).resolves.toMatchObject({ issuer: ISSUER })
          await expect(check()).resolves.toMatchObject({ issuer: ISSUER })
        }
      })
      // A check that finds a fetch in flight starts none.
      expect(fetches).toBeGreaterThan(20)
      expect(fetches).toBeLessThanOrEqual(70)
      expect(reports).toHaveLength(1)
      published.answer = respond(KEYS.replace('"ed"', '"new"'))
      const isAccepted = (header: object) => {
        pass(6 * SECOND)
        return check(header).then(
          () => true,
          () => false,
        )
      }
      // A fetch that was under way may still fail.
      await expect.poll(() => isAccepted({ kid: 'new' })).toBe(true)
      expect(await isAccepted({})).toBe(false)
    },
  )

  it('are given up after a day of failures', async () => {
    const { check, pass } = verifier()
    await check()
    published.answer = respond('', 500)
    pass(24 * HOUR - MINUTE)
    await expect(check()).resolves.toMatchObject({ issuer: ISSUER })
    pass(2 * MINUTE)
    await expect(check()).rejects.toMatchObject(UNAVAILABLE)
  })

  it('that never come are waited for once: after that, tokens with known keys do not wait', async () => {
    const { check, pass } = verifier()
    await check()
    const hanging: ServerResponse[] = []
    published.answer = (response) => void hanging.push(response)
    pass(11 * MINUTE)
    await expect(check()).resolves.toMatchObject({ issuer: ISSUER })
    expect(hanging).toHaveLength(1)
    pass(6 * SECOND)
    await expect(check()).resolves.toMatchObject({ issuer: ISSUER })
    await expect.poll(() => hanging.length).toBe(2)
    expect(hanging[1]?.closed).toBe(false)
    for (const response of hanging) response.destroy()
  })

  it('are not fetched for a token that cannot be good', async () => {
    const fresh = createTokenVerifier(own, foreign, clock)
    const before = published.fetched
    for (const token of [foreignToken({ alg: 'HS256' }), foreignToken({ typ: 'at+jwt' }), foreignToken(without(foreignHeader, 'kid'))])
      await expect(fresh(token)).rejects.toMatchObject(REFUSED)
    expect(published.fetched).toBe(before)
  })
})

describe('a token that was good a moment ago', () => {
  it('is refused once it has ended, and when it was changed', async () => {
    let time = Date.now()
    const later = createTokenVerifier(own, undefined, () => new Date(time))
    const { token } = await createTokenIssuer({ ...own, lifetime: 60 }, () => new Date(time))({ id: uuidv7(), email: 'ada@example.com' })
    const actor = await later(token)
    expect(await later(token)).toEqual(actor)
    const [header, payload, signature = ''] = token.split('.')
    const changed = [header, payload, `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`].join('.')
    await expect(later(changed)).rejects.toMatchObject({ kind: 'unauthenticated' })
    time += 59_000
    expect(await later(token)).toEqual(actor)
    time += 2_000
    await expect(later(token)).rejects.toMatchObject({ kind: 'unauthenticated', message: 'The access token has expired.' })
  })

  it('is one of a thousand at the most that are remembered', async () => {
    const issue = createTokenIssuer(own, clock)
    const tokens = await Promise.all(Array.from({ length: 1_100 }, () => issue({ id: uuidv7(), email: 'ada@example.com' })))
    const actors = new Map<string, unknown>()
    for (const { token } of tokens) actors.set(token, await verify(token))
    const remembered = await Promise.all(tokens.map(async ({ token }) => (await verify(token)) === actors.get(token)))
    expect(remembered.at(-1)).toBe(true)
    expect(remembered[0]).toBe(false)
  })
})
