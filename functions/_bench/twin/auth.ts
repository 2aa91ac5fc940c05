// What logging in could be at its fastest: `node:http` and `pg`, with the same hash, the same counters and the same token.
import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { SignJWT } from 'jose'
import pg from 'pg'
import { connectionConfig } from '../../../prisma/connection.ts'
import { makePasswords } from '../../auth/passwords.ts'
import { type Answer, invalid, listen, Refusal, readJson } from './http.ts'

type User = { id: string; email: string; username: string; password_hash: string; created_at: Date }
type Spent = { key: string; expire: string }

const pool = new pg.Pool(connectionConfig({ url: process.env.DATABASE_URL ?? '' }))
const secret = Buffer.from(process.env.BETTER_AUTH_SECRET ?? '')
const lifetime = Number(process.env.TOKEN_LIFETIME_SECONDS ?? 1800)
const passwords = makePasswords()

async function login(request: IncomingMessage): Promise<Answer> {
  const { email: given, password, ...rest } = await readJson(request)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw invalid(`/${unknown}`, 'is not a field known here')
  if (typeof given !== 'string' || given.length > 254 || !/^\S+@\S+\.\S+$/.test(given.trim()))
    throw invalid('/email', 'must be an email address')
  if (typeof password !== 'string' || password.length < 1 || password.length > 1024)
    throw invalid('/password', 'must have 1 to 1024 characters')
  const email = given.trim().toLowerCase()
  const address = request.socket.remoteAddress ?? ''
  const known = `login_known:${digest(`${address} ${email}`)}`
  const spent = await spend(known, address, email)
  const { rows } = await pool.query<User>('SELECT id, email, username, password_hash, created_at FROM users WHERE email = $1 LIMIT 1', [
    email,
  ])
  const [user] = rows
  const matches = await passwords.verify(user?.password_hash, password)
  if (!user || !matches) throw new Refusal(401, 'Email or password is incorrect.')
  await giveBackAndMark(spent, known)
  const { id, username, created_at } = user
  const session = { access_token: await sign(user), token_type: 'bearer', expires_in: lifetime }
  return { status: 200, body: { ...session, user: { id, email, username, created_at: created_at.toISOString() } } }
}

function sign({ id, email }: User): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ email })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: '1' })
    .setIssuer('todo-auth')
    .setAudience('todo-api')
    .setSubject(id)
    .setIssuedAt(now)
    .setExpirationTime(now + lifetime)
    .setJti(randomUUID())
    .sign(secret)
}

/** The statements of shared/accounts/counters.ts. */
async function spend(known: string, address: string, email: string): Promise<Spent[]> {
  const keys = [`login_address:${digest(address)}`, `login_pair:${digest(`${address} ${email}`)}`, `login_account:${digest(email)}`]
  const { rows } = await pool.query<{ key: string; expire: string | null }>(
    `WITH wanted (key, points, seconds, unless) AS (
       VALUES ($2::text, 100, 900, $5::text), ($3::text, 10, 900, NULL), ($4::text, 200, 3600, $5::text)),
     due AS (
       SELECT key, points, seconds FROM wanted
       WHERE NOT EXISTS (SELECT FROM throttle AS mark WHERE mark.key = wanted.unless AND mark.expire > $1::bigint)),
     spent AS (
       INSERT INTO throttle AS counter (key, points, expire) SELECT key, 1, $1::bigint + seconds * 1000 FROM due ORDER BY key
       ON CONFLICT (key) DO UPDATE SET
         points = CASE WHEN counter.expire <= $1::bigint THEN 1 ELSE counter.points + 1 END,
         expire = CASE WHEN counter.expire <= $1::bigint THEN excluded.expire ELSE counter.expire END
       WHERE counter.expire <= $1::bigint OR counter.points < (SELECT due.points FROM due WHERE due.key = counter.key)
       RETURNING key, expire)
     SELECT due.key, spent.expire FROM due LEFT JOIN spent USING (key)`,
    [Date.now(), ...keys, known],
  )
  const spent = rows.flatMap(({ key, expire }) => (expire === null ? [] : [{ key, expire }]))
  if (spent.length < rows.length) throw new Refusal(429, 'Too many attempts.')
  return spent
}

async function giveBackAndMark(spent: Spent[], known: string): Promise<void> {
  const places = spent.map((_, index) => `($${index * 2 + 3}::text, $${index * 2 + 4}::bigint)`).join(', ')
  await pool.query(
    `WITH returned AS (
       UPDATE throttle SET points = points - 1 WHERE key IN (
         SELECT key FROM throttle WHERE (key, expire) IN (${places}) ORDER BY key FOR UPDATE))
     INSERT INTO throttle AS mark (key, points, expire) VALUES ($1, 0, $2::bigint)
     ON CONFLICT (key) DO UPDATE SET expire = excluded.expire WHERE mark.expire < excluded.expire`,
    [known, Date.now() + 30 * 86_400_000, ...spent.flatMap(({ key, expire }) => [key, expire])],
  )
}

const digest = (value: string) => createHash('sha256').update(value).digest('base64url')

async function ready(): Promise<Answer> {
  await pool.query('SELECT 1')
  return { status: 200, body: { status: 'ok' } }
}

listen('auth', (method, path) => {
  if (path === '/health/ready') return { pattern: path, answer: ready }
  return method === 'POST' && path === '/api/v1/users/login' ? { pattern: path, answer: login } : undefined
})
pool.query('SELECT 1').catch(() => {})
