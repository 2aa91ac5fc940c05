// The baseline for `todos`: list, get, create and toggle in plain `node:http` and `pg`, with the same token check, the same bytes and the
// same commits. It validates what the bench sends and no more; its error texts are its own.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { jwtVerify } from 'jose'
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { connectionConfig } from '../../prisma/connection.ts'

type Answer = { status: number; body: object; headers?: Record<string, string> }
type Call = { request: IncomingMessage; path: string; query: URLSearchParams; userId: string; id: string }
type Row = Record<'id' | 'user_id' | 'title' | 'description' | 'due_date' | 'due_time' | 'time_zone', string> &
  Record<'created_at' | 'updated_at', Date> & { completed_at: Date | null; priority: number; tags: string[] }

class Refusal extends Error {
  readonly status: number
  constructor(status: number) {
    super(`refused with ${status}`)
    this.status = status
  }
}

const pool = new pg.Pool(connectionConfig({ url: process.env.DATABASE_URL ?? '' }))
const COLUMNS = `id, user_id, title, description, completed_at, priority, tags, to_char(due_date, 'YYYY-MM-DD') AS due_date,
  to_char(due_time, 'HH24:MI') AS due_time, time_zone, created_at, updated_at`
const PRIORITIES = [null, 'low', 'medium', 'high']
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i
const PATH = /^\/api\/v1\/([^/]+)\/todos(?:\/([^/]+)(\/complete)?)?$/
const MAX_BODY_BYTES = 128 * 1024
const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  vary: 'Origin',
}

const toTodo = (row: Row) => ({
  id: row.id,
  user_id: row.user_id,
  title: row.title,
  description: row.description,
  completed: row.completed_at !== null,
  completed_at: row.completed_at?.toISOString() ?? null,
  priority: PRIORITIES[row.priority] ?? null,
  tags: row.tags,
  due_date: row.due_date,
  due_time: row.due_time,
  time_zone: row.time_zone,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
})

function firstOf({ rows: [row] }: pg.QueryResult<Row>) {
  if (!row) throw new Refusal(404)
  return toTodo(row)
}

async function list({ path, query, userId }: Call): Promise<Answer> {
  const limit = Number(query.get('limit') ?? 500)
  if (!(limit >= 1 && limit <= 500)) throw new Refusal(422)
  const cursor = query.get('cursor')
  const { key, id } = cursor === null ? {} : JSON.parse(Buffer.from(cursor, 'base64url').toString())
  const { rows } = await pool.query<Row>(
    `SELECT ${COLUMNS} FROM todos WHERE user_id = $1 ${key ? 'AND (created_at, id) < ($3::timestamptz, $4::uuid)' : ''}
     ORDER BY created_at DESC, id DESC LIMIT $2`,
    key ? [userId, limit + 1, key, id] : [userId, limit + 1],
  )
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  const place = last && { sort: '-created', key: last.created_at.toISOString(), id: last.id }
  const next = place ? Buffer.from(JSON.stringify(place)).toString('base64url') : null
  const body = { todos: page.map(toTodo), count: page.length, next_cursor: next }
  if (next === null) return { status: 200, body }
  query.set('cursor', next)
  return { status: 200, body, headers: { link: `<${path}?${query}>; rel="next"` } }
}

async function get({ userId, id }: Call): Promise<Answer> {
  return { status: 200, body: firstOf(await pool.query<Row>(`SELECT ${COLUMNS} FROM todos WHERE id = $1 AND user_id = $2`, [id, userId])) }
}

async function create({ request, path, userId }: Call): Promise<Answer> {
  const {
    title,
    description = null,
    completed,
    priority = null,
    tags = [],
    due_date,
    due_time,
    time_zone,
    ...rest
  } = await readJson(request)
  const [unknown] = Object.keys(rest)
  if (typeof title !== 'string' || !title || !Array.isArray(tags) || unknown !== undefined || !PRIORITIES.includes(priority))
    throw new Refusal(422)
  const now = new Date().toISOString()
  const values = [uuidv7(), userId, title.trim(), description, completed ? now : null, PRIORITIES.indexOf(priority), tags]
  const todo = firstOf(
    await pool.query<Row>(
      `INSERT INTO todos (id, user_id, title, description, completed_at, priority, tags, due_date, due_time, time_zone, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING ${COLUMNS}`,
      [...values, due_date, due_time, time_zone, now],
    ),
  )
  return { status: 201, body: todo, headers: { location: `${path}/${todo.id}` } }
}

async function toggle({ request, userId, id }: Call): Promise<Answer> {
  if (Object.keys(await readJson(request)).length > 0) throw new Refusal(422)
  const toggled = await pool.query<Row>(
    `UPDATE todos SET completed_at = CASE WHEN completed_at IS NULL THEN $3::timestamptz END,
       updated_at = GREATEST($3::timestamptz, updated_at + interval '1 millisecond')
     WHERE id = $1 AND user_id = $2 RETURNING ${COLUMNS}`,
    [id, userId, new Date().toISOString()],
  )
  return { status: 200, body: firstOf(toggled) }
}

const HANDLERS: Record<string, (call: Call) => Promise<Answer>> = {
  'GET list': list,
  'POST list': create,
  'GET todo': get,
  'PATCH complete': toggle,
}

async function answer(request: IncomingMessage): Promise<Answer & { userId?: string }> {
  const [path = '/', search] = (request.url ?? '/').split('?', 2)
  if (path === '/health/ready') {
    await pool.query('SELECT 1')
    return { status: 200, body: { status: 'ok' } }
  }
  const [, owner, id = '', suffix] = PATH.exec(path) ?? []
  const handler = HANDLERS[`${request.method} ${suffix ? 'complete' : id ? 'todo' : 'list'}`]
  if (owner === undefined || !handler) throw new Refusal(404)
  const userId = await userOf(request.headers.authorization)
  if (decodeURIComponent(owner) !== userId) throw new Refusal(403)
  if (id && !UUID.test(id)) throw new Refusal(422)
  return { ...(await handler({ request, path, query: new URLSearchParams(search), userId, id })), userId }
}

async function readJson(request: IncomingMessage) {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new Refusal(413)
    chunks.push(chunk)
  }
  return size === 0 ? {} : JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
}

const secret = Buffer.from(process.env.BETTER_AUTH_SECRET ?? '')
const verified = new Map<string, { sub: string; expiresMs: number; cachedUntilMs: number }>()

/** As shared/identity/issuers.ts, with the same cache of one minute. */
async function userOf(authorization: string | undefined): Promise<string> {
  const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? '')?.[1]
  if (!token || token.length > 8192) throw new Refusal(401)
  const now = Date.now()
  let known = verified.get(token)
  if (!known || now >= known.cachedUntilMs) {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: ['HS256'],
      typ: 'at+jwt',
      issuer: 'todo-auth',
      audience: 'todo-api',
      requiredClaims: ['sub', 'iat', 'exp', 'jti'],
    }).catch(() => Promise.reject(new Refusal(401)))
    known = { sub: payload.sub ?? '', expiresMs: (payload.exp ?? 0) * 1000, cachedUntilMs: now + 60_000 }
    verified.set(token, known)
  }
  if (now >= known.expiresMs) throw new Refusal(401)
  return known.sub
}

const server = createServer({ keepAliveTimeout: 120_000, headersTimeout: 15_000, requestTimeout: 30_000 }, async (request, response) => {
  const begun = performance.now()
  const requestId = randomUUID()
  const { status, body, headers, userId } = await answer(request).catch((error): Awaited<ReturnType<typeof answer>> => {
    const status = error instanceof Refusal ? error.status : 500
    return { status, body: { status, detail: String(error.message) }, headers: { 'content-type': 'application/problem+json' } }
  })
  const text = JSON.stringify(body)
  response.writeHead(status, { ...HEADERS, 'x-request-id': requestId, 'content-length': Buffer.byteLength(text), ...headers }).end(text)
  if (request.url?.startsWith('/health/')) return
  const ms = Math.round((performance.now() - begun) * 10) / 10
  const fields = { function: 'todos', request_id: requestId, method: request.method, route: request.url, status, ms, user_id: userId }
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level: 'info', message: 'request', ...fields })}\n`)
})
server.listen(Number(process.env.PORT), process.env.HOST, () => {
  const address = server.address()
  process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' ? address?.port : undefined })}\n`)
})
// The functions connect while they start, too.
pool.query('SELECT 1').catch(() => {})
