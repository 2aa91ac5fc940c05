// What `todos` could be by hand: `node:http` and `pg`, written for what is measured, with the same bytes, checks and commits. It asks as pg
// does by itself; that ours keeps short statements prepared (prisma/statements.ts) is ours to win.
import type { IncomingMessage } from 'node:http'
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { connectionConfig } from '../../../prisma/connection.ts'
import { type Answer, invalid, listen, Refusal, type Route, readJson } from './http.ts'
import { createInput, listInput } from './todo-input.ts'
import { userOf } from './token.ts'

type Row = {
  id: string
  user_id: string
  title: string
  description: string | null
  completed_at: Date | null
  priority: number
  tags: string[]
  due_date: string | null
  due_time: string | null
  time_zone: string | null
  created_at: Date
  updated_at: Date
}

const pool = new pg.Pool(connectionConfig({ url: process.env.DATABASE_URL ?? '' }))
const COLUMNS = `id, user_id, title, description, completed_at, priority, tags, to_char(due_date, 'YYYY-MM-DD') AS due_date,
  to_char(due_time, 'HH24:MI') AS due_time, time_zone, created_at, updated_at`
const PRIORITIES = [null, 'low', 'medium', 'high']
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i
const PATH = /^\/api\/v1\/([^/]+)\/todos(?:\/([^/]+)(\/complete)?)?$/

function toTodo(row: Row) {
  return {
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
  }
}

function only([row]: Row[]) {
  if (!row) throw new Refusal(404, 'There is no such todo.')
  return toTodo(row)
}

async function list(request: IncomingMessage, userId: string): Promise<Answer> {
  const { limit, cursor } = listInput(request.url ?? '')
  const after = cursor ? 'AND (created_at, id) < ($3::timestamptz, $4::uuid)' : ''
  const { rows } = await pool.query<Row>(
    `SELECT ${COLUMNS} FROM todos WHERE user_id = $1 ${after} ORDER BY created_at DESC, id DESC LIMIT $2`,
    cursor ? [userId, limit + 1, cursor.key, cursor.id] : [userId, limit + 1],
  )
  const page = rows.slice(0, limit)
  const last = rows.length > limit ? page.at(-1) : undefined
  const place = last && { sort: '-created', key: last.created_at.toISOString(), id: last.id }
  const next = place ? Buffer.from(JSON.stringify(place)).toString('base64url') : null
  const body = { todos: page.map(toTodo), count: page.length, next_cursor: next }
  if (next === null) return { status: 200, body }
  const [path, query] = (request.url ?? '').split('?', 2)
  const parameters = new URLSearchParams(query)
  parameters.set('cursor', next)
  return { status: 200, body, headers: { link: `<${path}?${parameters}>; rel="next"` } }
}

async function create(request: IncomingMessage, userId: string): Promise<Answer> {
  const { title, description, completed, priority, tags, due_date, due_time, time_zone } = createInput(await readJson(request))
  const now = new Date().toISOString()
  const { rows } = await pool.query<Row>(
    `INSERT INTO todos (id, user_id, title, description, completed_at, priority, tags, due_date, due_time, time_zone, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING ${COLUMNS}`,
    [uuidv7(), userId, title, description, completed ? now : null, priority, tags, due_date, due_time, time_zone, now],
  )
  const todo = only(rows)
  return { status: 201, body: todo, headers: { location: `${request.url}/${todo.id}` } }
}

async function get(_request: IncomingMessage, userId: string, id: string): Promise<Answer> {
  const { rows } = await pool.query<Row>(`SELECT ${COLUMNS} FROM todos WHERE id = $1 AND user_id = $2`, [id, userId])
  return { status: 200, body: only(rows) }
}

async function toggle(request: IncomingMessage, userId: string, id: string): Promise<Answer> {
  const [field] = Object.keys(await readJson(request, { optional: true }))
  if (field !== undefined) throw invalid(`/${field}`, 'is not a field known here')
  const { rows } = await pool.query<Row>(
    `UPDATE todos SET completed_at = CASE WHEN completed_at IS NULL THEN $3::timestamptz END,
       updated_at = GREATEST($3::timestamptz, updated_at + interval '1 millisecond')
     WHERE id = $1 AND user_id = $2 RETURNING ${COLUMNS}`,
    [id, userId, new Date().toISOString()],
  )
  return { status: 200, body: only(rows) }
}

async function ready(): Promise<Answer> {
  await pool.query('SELECT 1')
  return { status: 200, body: { status: 'ok' } }
}

type Handler = (request: IncomingMessage, userId: string, id: string) => Promise<Answer>
const handlers: Record<string, { pattern: string; handler: Handler }> = {
  'GET list': { pattern: '/api/v1/:user_id/todos', handler: list },
  'POST list': { pattern: '/api/v1/:user_id/todos', handler: create },
  'GET todo': { pattern: '/api/v1/:user_id/todos/:todo_id', handler: get },
  'PATCH complete': { pattern: '/api/v1/:user_id/todos/:todo_id/complete', handler: toggle },
}

function find(method: string, path: string): Route | undefined {
  if (path === '/health/ready') return { pattern: path, answer: ready }
  const [, owner = '', id, suffix] = PATH.exec(path) ?? []
  const kind = suffix ? 'complete' : id ? 'todo' : 'list'
  const found = owner ? handlers[`${method} ${kind}`] : undefined
  if (!found) return undefined
  return {
    pattern: found.pattern,
    async answer(request) {
      const userId = await userOf(request.headers.authorization)
      if (decodeURIComponent(owner) !== userId) throw new Refusal(403, 'These are not your todos.')
      if (id !== undefined && !UUID.test(id)) throw invalid('/todo_id', 'must be a UUID, as lists show it')
      return { ...(await found.handler(request, userId, id ?? '')), userId }
    },
  }
}

listen('todos', find)
// As ours does: connected before somebody asks.
pool.query('SELECT 1').catch(() => {})
