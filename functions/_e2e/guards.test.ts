// Every route of every function with every kind of invalid token. A route without its guard fails here.
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { SignJWT } from 'jose'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { ACCESS_TOKEN_TYPE, createTokenIssuer } from '../../shared/identity/tokens.ts'
import { describedRoutes } from '../../shared/openapi/openapi.ts'
import { Problem } from '../../shared/openapi/problems.ts'
import { ownIssuer } from '../../shared/runtime/env.ts'
import { answer, contextOf, newUser, testDeps } from '../../shared/testing/context.ts'
import { createTodo } from '../../shared/todos/todos.ts'
import { createApps } from '../local/apps.ts'

const world = testDeps()
const { deps, env } = world
afterAll(async () => {
  // No request has changed anything.
  const todos = await (await deps.db.prisma()).todo.findMany({ where: { userId: owner.id } })
  expect(todos).toMatchObject([{ id: todo.id, title: 'Mine', completedAt: null }])
  await deps.db.close()
})

const { apps } = createApps(env, deps)
/** Operations that need no token. */
const PUBLIC = new Set([
  'GET /health/live',
  'GET /health/ready',
  'GET /openapi.json',
  // A tick: cluster-local, and harmless from any client.
  'POST /',
  'POST /api/v1/users/register',
  'POST /api/v1/users/login',
  // OAuth metadata: which authorization servers issue tokens.
  'GET /.well-known/oauth-protected-resource/api/v1/mcp',
  // 405 unless it upgrades to a WebSocket, whose tokens functions/mcp/socket.test.ts covers.
  'GET /api/v1/mcp',
])
const routes = Object.values(apps).flatMap((app) =>
  describedRoutes(app).map(({ method, path, note }) => ({ name: `${method} ${path}`, app, method, path, note })),
)
const guarded = routes.filter(({ name }) => !PUBLIC.has(name))
const owned = guarded.filter(({ path }) => path.includes('/:user_id'))

const owner = await newUser(world)
const todo = await createTodo(contextOf(deps, owner), { title: 'Mine' })
type Route = (typeof routes)[number]

/** A valid request of `owner`, except for the token. */
function ask({ app, method, path }: Route, authorization: string | undefined, userId = owner.id) {
  const url = path.replace(':user_id', encodeURIComponent(userId)).replace(':todo_id', todo.id)
  const headers = { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) }
  const takesBody = method !== 'GET' && method !== 'DELETE' && !path.endsWith('/complete')
  const body = takesBody ? { body: JSON.stringify({ title: 'Theirs' }) } : {}
  return Promise.resolve(app.fetch(new Request(`http://localhost${url}`, { method, headers, ...body })))
}

const account = { id: owner.id, email: owner.email }
const tokenOf = async (issuer: Parameters<typeof createTokenIssuer>[0], clock = deps.clock) =>
  `Bearer ${(await createTokenIssuer(issuer, clock)(account)).token}`
const ours = ownIssuer(env)
const unsigned = (token: string) =>
  `Bearer ${Buffer.from('{"alg":"none","typ":"at+jwt","kid":"1"}').toString('base64url')}.${token.split('.')[1]}.`
const REFUSED: Record<string, string | undefined> = {
  'no token': undefined,
  'an empty one': 'Bearer ',
  garbage: 'Bearer garbage',
  'one in another scheme': `Basic ${Buffer.from(`${owner.email}:password`).toString('base64')}`,
  'an expired one': await tokenOf(ours, () => new Date(Date.now() - 86_400_000)),
  "another issuer's": await tokenOf({ ...ours, issuer: 'https://app.example.com' }),
  'one for another audience': await tokenOf({ ...ours, audience: 'another-api' }),
  'one that someone else signed': await tokenOf({
    ...ours,
    keys: { current: '1', secrets: new Map([['1', Buffer.from('a secret of somebody else, 32 bytes')]]) },
  }),
  'an unsigned one': unsigned(owner.token),
}

it('covers every function that has an app', () => {
  const functions = path.join(import.meta.dirname, '..')
  const withApp = fs.readdirSync(functions).filter((name) => fs.existsSync(path.join(functions, name, 'app.ts')))
  expect(Object.keys(apps).sort()).toEqual(withApp.sort())
})

it('covers every route, because none is registered with `all`', () => {
  for (const app of Object.values(apps)) expect(app.routes.filter(({ method, path }) => method === 'ALL' && path !== '/*')).toEqual([])
  expect(owned.length).toBeGreaterThanOrEqual(7)
})

describe.each(guarded)('$name', (route) => {
  it('describes that it needs a token', () => {
    expect(route.note.bearer).toBe(true)
    expect(route.note.errors).toContain('unauthenticated')
  })

  it.each(Object.entries(REFUSED))('answers 401 to %s', async (_case, authorization) => {
    const response = await ask(route, authorization)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="todo"/)
    const { detail, message } = await answer(response, Problem)
    expect(message).toBe(detail)
  })
})

describe.each(owned)('$name', (route) => {
  it('answers 403 when a read-only token writes', async () => {
    const { keys, issuer, audience } = ours
    const readOnly = await new SignJWT({ scope: 'todos:read' })
      .setProtectedHeader({ alg: 'HS256', typ: ACCESS_TOKEN_TYPE, kid: keys.current })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(owner.id)
      .setIssuedAt()
      .setExpirationTime('1m')
      .setJti(randomUUID())
      .sign(keys.secrets.get(keys.current) ?? new Uint8Array())
    const response = await ask(route, `Bearer ${readOnly}`)
    expect(response.status).toBe(route.method === 'GET' ? 200 : 403)
  })

  it("answers 403 to another user's token, whether the owner exists or not", async () => {
    const stranger = await newUser(world)
    for (const userId of [owner.id, owner.id.toUpperCase(), uuidv7(), '..', '%', `${stranger.id} `, 'undefined']) {
      const response = await ask(route, stranger.headers.authorization, userId)
      // `..` leaves the path before it is sent.
      expect([userId, response.status]).toEqual([userId, userId === '..' ? 404 : 403])
    }
    expect(route.note.errors).toContain('forbidden')
  })
})

it('has no public operation besides the listed ones', () => {
  expect(routes.filter(({ note }) => !note.bearer).map(({ name }) => name)).toSatisfy((names: string[]) =>
    names.every((name) => PUBLIC.has(name)),
  )
})
