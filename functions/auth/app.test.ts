import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { demo } from '../../prisma/seed.ts'
import { Account, Session, TokenStatus } from '../../shared/accounts/users.ts'
import { AppError } from '../../shared/core/errors.ts'
import { Problem } from '../../shared/openapi/problems.ts'
import { answer, elsewhere, newUser, testDeps } from '../../shared/testing/context.ts'
import { authApp } from './app.ts'
import { createAuthDeps } from './deps.ts'

const world = testDeps()
const deps = createAuthDeps(world.env, world.deps)
const app = authApp(deps)
afterAll(() => world.deps.db.close())

const PASSWORD = 'correct horse battery'
const post = (path: string, body: unknown, headers: Record<string, string> = elsewhere(), to: Pick<typeof app, 'request'> = app) =>
  to.request(`/api/v1/users/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { ...headers, 'content-type': 'application/json' },
  })
const someone = (name = `user-${randomUUID()}`) => ({ email: `${name}@example.com`, username: name, password: PASSWORD })

/** The registration in the README. */
function examplePasswords(): string[] {
  const readme = fs.readFileSync(path.join(import.meta.dirname, '../../README.md'), 'utf8')
  return [...readme.matchAll(/"password":\s?"([^"]+)"/g)].flatMap(([, password]) => password ?? [])
}

async function registered(details = someone()) {
  const response = await post('register', details)
  expect(response.status).toBe(201)
  return { ...details, account: await answer(response, Account) }
}

async function refused(response: Response, status: number) {
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = await answer(response, Problem)
  expect(problem).toMatchObject({ status, message: problem.detail })
  return problem
}

describe('POST /users/register', () => {
  it('answers a registration with 201 and only the public fields of the account', async () => {
    const details = someone()
    const response = await post('register', details)
    expect(response.status).toBe(201)
    expect(response.headers.get('content-type')).toBe('application/json')
    const body = await response.json()
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      email: details.email,
      username: details.username,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
  })

  it('treats an email address with other case or surrounding space as the same address', async () => {
    const { email, username } = someone()
    const { account } = await registered({ email: `  ${email.toUpperCase()}\t`, username, password: PASSWORD })
    expect(account.email).toBe(email)
    const problem = await refused(await post('register', { ...someone(), email: email.replace('user', 'User') }), 409)
    expect(problem).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'This email address is already registered.',
      message: 'This email address is already registered.',
      instance: '/api/v1/users/register',
      errors: [{ pointer: '#/email', detail: 'This email address is already registered.' }],
    })
    for (const spelling of [email, ` ${email} `, email.toUpperCase()])
      expect((await post('login', { email: spelling, password: PASSWORD })).status).toBe(200)
  })

  it.each([
    ['case', 'Ada', 'aDA'],
    ['space around it', 'ada', '  ada '],
    ['full width', 'ada', 'ａｄａ'],
    ['a composed and a decomposed accent', 'zoé', 'zoe\u0301'],
    ['a ligature', 'ﬁn', 'FIN'],
    ['sharp s', 'straße', 'STRASSE'],
    ['the sigma at the end', 'ὀδυσσεύς', 'ὈΔΥΣΣΕΎΣ'],
    ['a letter whose capital is three', 'ΰ', 'Ϋ\u0301'],
  ])('takes two usernames that differ in %s for one', async (_difference, first, second) => {
    const tail = randomUUID()
    const spelled = (name: string) => name.replace(name.trim(), (trimmed) => `${tail} ${trimmed}`)
    const { account } = await registered({ ...someone(), username: spelled(first) })
    expect(account.username).toBe(spelled(first).trim())
    const problem = await refused(await post('register', { ...someone(), username: spelled(second) }), 409)
    expect(problem).toMatchObject({
      message: 'This username is already taken.',
      errors: [{ pointer: '#/username', detail: 'This username is already taken.' }],
    })
  })

  it('creates one account from many concurrent registrations with one email address', async () => {
    const { email } = someone()
    const responses = await Promise.all(Array.from({ length: 12 }, () => post('register', { ...someone(), email })))
    expect(responses.map(({ status }) => status).sort()).toEqual([201, ...Array(11).fill(409)])
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['no email address', { email: undefined }, '#/email'],
    ['what is none', { email: 'ada' }, '#/email'],
    ['a number for one', { email: 42 }, '#/email'],
    ['one that is too long', { email: `${'a'.repeat(250)}@example.com` }, '#/email'],
    ['one with NUL', { email: 'a\0da@example.com' }, '#/email'],
    ['no username', { username: undefined }, '#/username'],
    ['one of space', { username: ' \t\u00a0 ' }, '#/username'],
    ['one of 51 characters', { username: '😀'.repeat(51) }, '#/username'],
    ['an invisible one', { username: 'a\u200bda' }, '#/username'],
    ['one that turns around', { username: 'a\u202eda' }, '#/username'],
    ['one with a line break', { username: 'a\nda' }, '#/username'],
    ['no password', { password: undefined }, '#/password'],
    ['one of 7 characters', { password: '😀'.repeat(7) }, '#/password'],
    ['one of 129 characters', { password: 'x'.repeat(129) }, '#/password'],
    ['one with NUL', { password: 'correct\0horse' }, '#/password'],
    ['one with half a character', { password: 'correct \ud800 horse' }, '#/password'],
    ['a field that is unknown', { is_admin: true }, '#/is_admin'],
    ['a prototype', JSON.parse('{"__proto__":{"id":"1"}}'), '#/__proto__'],
  ])('refuses %s with 422, by name', async (_case, change, pointer) => {
    const problem = await refused(await post('register', { ...someone(), ...change }), 422)
    // Built with JSON: spreading cannot set an own __proto__.
    if (pointer !== '#/__proto__') expect(problem.errors).toContainEqual({ pointer, detail: expect.any(String) })
  })

  it.each([
    ['Hangul filler', '\u3164'],
    ['Hangul choseong filler', '\u115f'],
    ['Hangul jungseong filler', '\u1160'],
    ['halfwidth Hangul filler', '\uffa0'],
    ['a blank Braille pattern', '\u2800'],
    ['a variation selector', '\ufe0f'],
    ['a supplementary variation selector', '\u{e0100}'],
    ['a Mongolian variation selector', '\u180b'],
    ['a zero width space', '\u200b'],
    ['a zero width joiner', '\u200d'],
    ['a word joiner', '\u2060'],
    ['a byte order mark', '\ufeff'],
    ['a soft hyphen', '\u00ad'],
    ['a combining grapheme joiner', '\u034f'],
    ['a Khmer inherent vowel', '\u17b4'],
    ['a tag', '\u{e0061}'],
    ['a null notehead', '\u{1d159}'],
    ['a blank hieroglyph', '\u{13441}'],
    ['a line separator', '\u2028'],
    ['a paragraph separator', '\u2029'],
    ['an unassigned character that is ignorable', '\u{e0fff}'],
  ])('refuses %s in a username', async (_character, character) => {
    // Some count as white space, which is trimmed at the ends.
    const ends = character.trim() === '' ? [] : [`${character}ada`, `ada${character}`]
    for (const username of [character, `a${character}da`, ...ends]) {
      const problem = await refused(await post('register', { ...someone(), username }), 422)
      expect(problem.errors).toEqual([{ pointer: '#/username', detail: expect.stringMatching(/invisible|must have 1 to 50/) }])
    }
  })

  it.each(['Zoë', 'O’Brien', 'Jo\u00e3o da Silva', '山田\u3000太郎', '한글', '\u1112\u1161\u11ab', 'नमस्ते', 'ไทย', 'مريم', '😀', '_-.'])(
    'takes the username %s, all of which can be seen',
    async (name) => {
      await registered({ ...someone(), username: `${name} ${randomUUID().slice(0, 8)}` })
    },
  )

  it.each(['password1', '12345678', 'qwertyuiop', 'iloveyou', 'PASSWORD', 'PassWord123', 'trustno1'])(
    'refuses %s, one of the most common passwords, in any case',
    async (password) => {
      const problem = await refused(await post('register', { ...someone(), password }), 422)
      expect(problem.message).toContain('common')
      expect(problem.errors).toEqual([{ pointer: '#/password', detail: expect.stringContaining('common') }])
    },
  )

  it('accepts the passwords of the demo account and of the examples', async () => {
    for (const password of [demo.password, PASSWORD, ...examplePasswords()]) await registered({ ...someone(), password })
  })

  it('lets an account log in when its password has become a common one', async () => {
    const { email } = someone()
    const passwordHash = await deps.passwords.hash('password1')
    await (await deps.db.prisma()).user.create({ data: { id: uuidv7(), email, username: email, usernameKey: email, passwordHash } })
    expect((await post('login', { email, password: 'password1' })).status).toBe(200)
  })

  it('compares every character of a password, up to 128, without changes', async () => {
    const { email } = await registered({ ...someone(), password: ` ${'😀'.repeat(126)} ` })
    expect((await post('login', { email, password: ` ${'😀'.repeat(126)} ` })).status).toBe(200)
    expect((await post('login', { email, password: '😀'.repeat(126) })).status).toBe(401)
    expect((await post('login', { email, password: ` ${'😀'.repeat(126)} x` })).status).toBe(401)
  })
})

describe('POST /users/login', () => {
  it('answers a login with 200, a token and the account', async () => {
    const { account, email } = await registered()
    const response = await post('login', { email, password: PASSWORD })
    expect(response.status).toBe(200)
    const body = await answer(response, Session)
    expect(body).toEqual({ access_token: expect.any(String), token_type: 'bearer', expires_in: 1800, user: account })
    expect(await deps.verifyToken(body.access_token)).toMatchObject({ userId: account.id, email, issuer: null, readOnly: false })
  })

  it('answers an unknown user and a wrong password with the same error and the same hashing work', async () => {
    const { email } = await registered()
    const { email: withoutPassword } = await newUser(world)
    const compared: boolean[] = []
    const passwords = {
      ...deps.passwords,
      verify: async (...args: Parameters<typeof deps.passwords.verify>) => {
        const matches = await deps.passwords.verify(...args)
        compared.push(matches)
        return matches
      },
    }
    const watched = authApp({ ...deps, passwords })
    const answers = []
    for (const tried of [email, someone().email, withoutPassword]) {
      const response = await post('login', { email: tried, password: 'a wrong one' }, { ...elsewhere(), 'x-request-id': 'one' }, watched)
      answers.push({ status: response.status, headers: [...response.headers], body: await response.text() })
    }
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
    expect(answers[0]).toMatchObject({ status: 401 })
    expect(JSON.parse(answers[0]?.body ?? '')).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      detail: 'Email or password is incorrect.',
      message: 'Email or password is incorrect.',
      instance: '/api/v1/users/login',
    })
    expect(Object.fromEntries(answers[0]?.headers ?? [])).toMatchObject({ 'www-authenticate': 'Bearer realm="todo"' })
    expect(compared).toEqual([false, false, false])
  })

  it('rejects every password for an account of another issuer', async () => {
    const id = `foreign-${randomUUID()}`
    await (await deps.db.prisma()).user.create({ data: { id, issuer: 'https://app.example.com', username: id } })
    for (const email of [`${id}@example.com`, id]) expect((await post('login', { email, password: 'null' })).status).not.toBe(200)
  })

  it.each([
    [{ password: PASSWORD }, '#/email'],
    [{ email: 'ada@example.com' }, '#/password'],
    [{ email: 'ada@example.com', password: '' }, '#/password'],
    [{ email: 'ada@example.com', password: 'x'.repeat(1025) }, '#/password'],
    [{ email: { contains: '@' }, password: PASSWORD }, '#/email'],
    [{ email: 'ada@example.com', password: PASSWORD, user_id: 'x' }, '#/user_id'],
  ])('refuses %o with 422', async (body, pointer) => {
    const { errors } = await refused(await post('login', body), 422)
    expect(errors).toContainEqual({ pointer, detail: expect.any(String) })
  })
})

describe('throttling', () => {
  const wrong = async () => {
    throw new AppError('unauthenticated', 'wrong')
  }
  /** The text that `elsewhere` is counted as. */
  const counted = (headers: ReturnType<typeof elsewhere>) => headers['x-forwarded-for'].replace(/::1$/, '::/64').replace(/:0+(?=\w)/g, ':')

  it('answers 429 with Retry-After after ten wrong passwords, even to the right one, but not at another address', async () => {
    const { email } = await registered()
    const here = elsewhere()
    const guesses = await Promise.all(Array.from({ length: 12 }, () => post('login', { email, password: 'a guess' }, here)))
    expect(guesses.map(({ status }) => status).sort()).toEqual([...Array(10).fill(401), 429, 429])
    const late = await post('login', { email: email.toUpperCase(), password: PASSWORD }, here)
    const seconds = Number(late.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(800)
    expect(seconds).toBeLessThanOrEqual(900)
    expect(await refused(late, 429)).toMatchObject({ message: 'Too many attempts. Please try again in 15 minutes.' })
    const neighbour = { 'x-forwarded-for': here['x-forwarded-for'].replace(/::1$/, '::2:3') }
    expect((await post('login', { email, password: PASSWORD }, neighbour)).status).toBe(429)
    expect((await post('login', { email, password: PASSWORD })).status).toBe(200)
  })

  it('lets an owner log in from a known address while 230 wrong passwords from 230 addresses lock the account', async () => {
    const { email } = await registered()
    const home = elsewhere()
    expect((await post('login', { email, password: PASSWORD }, home)).status).toBe(200)
    const guesses = Array.from({ length: 230 }, () => deps.throttle.login({ address: counted(elsewhere()), email }, wrong))
    await Promise.allSettled(guesses)
    await refused(await post('login', { email, password: PASSWORD }), 429)
    const sameNetwork = { 'x-forwarded-for': home['x-forwarded-for'].replace(/::1$/, '::2:3') }
    expect((await post('login', { email, password: PASSWORD }, sameNetwork)).status).toBe(200)
  })

  it('limits registrations per address', async () => {
    const here = elsewhere()
    for (let count = 0; count < 50; count++) await deps.throttle.register({ address: counted(here) })
    const late = await post('register', someone(), here)
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(3590)
    await refused(late, 429)
  })

  it('reads X-Forwarded-For only from trusted hops', async () => {
    const { email } = await registered()
    const remoteAddress = `2001:db8:ffff:${randomUUID().slice(0, 4)}::1`
    const peer = { incoming: { socket: { remoteAddress, remotePort: 50_000, remoteFamily: 'IPv6' } } }
    const attempt = (password: string) =>
      app.request(
        '/api/v1/users/login',
        {
          method: 'POST',
          body: JSON.stringify({ email, password }),
          headers: { ...elsewhere(), 'content-type': 'application/json' },
        },
        peer,
      )
    for (let count = 0; count < 10; count++) expect((await attempt('a guess')).status).toBe(401)
    expect((await attempt(PASSWORD)).status).toBe(429)
  })

  it('does not count a login that fails validation', async () => {
    const here = elsewhere()
    const { email } = await registered()
    for (let count = 0; count < 12; count++) expect((await post('login', { email }, here)).status).toBe(422)
    await expect(deps.throttle.login({ address: counted(here), email }, wrong)).rejects.toThrow('wrong')
    expect((await post('login', { email, password: PASSWORD }, here)).status).toBe(200)
  })
})

describe('GET /validate-token', () => {
  const validate = (headers?: Record<string, string>) => app.request('/api/v1/validate-token', headers ? { headers } : {})

  it('answers a valid token with its user and expiry', async () => {
    const { email, account } = await registered()
    const session = await answer(await post('login', { email, password: PASSWORD }), Session)
    const response = await validate({ authorization: `Bearer ${session.access_token}` })
    expect(response.status).toBe(200)
    const body = await answer(response, TokenStatus)
    expect(body).toEqual({ valid: true, user_id: account.id, message: 'Token is valid', expires_at: expect.any(String) })
    expect(Date.parse(body.expires_at) - Date.now()).toBeGreaterThan(1700_000)
  })

  it('answers 401 with WWW-Authenticate to a missing or invalid token', async () => {
    const none = await validate()
    expect(none.headers.get('www-authenticate')).toBe('Bearer realm="todo"')
    expect(await refused(none, 401)).toMatchObject({ message: 'An access token is needed: Authorization: Bearer <token>.' })
    const bad = await validate({ authorization: 'Bearer x.y.z' })
    expect(bad.headers.get('www-authenticate')).toBe('Bearer realm="todo", error="invalid_token"')
    expect(await refused(bad, 401)).toMatchObject({ message: 'The access token is not valid.' })
  })

  it.each([
    ['Basic', (token: string) => `Basic ${token}`],
    ['no scheme', (token: string) => token],
    ['no space', (token: string) => `Bearer${token}`],
    ['two', (token: string) => `Bearer ${token}, Bearer ${token}`],
    ['quotes', (token: string) => `Bearer "${token}"`],
    ['nothing', () => 'Bearer '],
  ])('reads no token out of a header with %s', async (_case, header) => {
    const { token } = await newUser(world)
    await refused(await validate({ authorization: header(token) }), 401)
  })

  it('accepts the scheme Bearer in any case', async () => {
    const { token } = await newUser(world)
    for (const scheme of ['bearer', 'BEARER']) expect((await validate({ authorization: `${scheme} ${token}` })).status).toBe(200)
  })
})

it('answers 503 without internals while the database is unavailable', async () => {
  const away = testDeps({ DATABASE_URL: 'postgresql://todo:hunter2@127.0.0.1:9/todo' })
  const unreachable = authApp(createAuthDeps(away.env, away.deps))
  for (const [path, body] of [
    ['login', { email: 'ada@example.com', password: PASSWORD }],
    ['register', someone()],
  ] as const) {
    const response = await post(path, body, elsewhere(), unreachable)
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await refused(response, 503)).toMatchObject({ message: 'The database does not answer at the moment. Please try again.' })
  }
  const { token } = await away.issueToken({ id: uuidv7(), email: 'ada@example.com' })
  const valid = await unreachable.request('/api/v1/validate-token', { headers: { authorization: `Bearer ${token}` } })
  expect(valid.status).toBe(200)
  expect(JSON.stringify(away.lines)).not.toContain('hunter2')
  await away.deps.db.close()
})

it('logs no password, no token and no email address', async () => {
  const { email } = await registered()
  const { access_token } = await answer(await post('login', { email, password: PASSWORD }), Session)
  await post('login', { email, password: 'another secret' })
  await app.request('/api/v1/validate-token', { headers: { authorization: `Bearer ${access_token}` } })
  const log = JSON.stringify(world.lines)
  for (const secret of [PASSWORD, 'another secret', access_token, email]) expect(log).not.toContain(secret)
})
