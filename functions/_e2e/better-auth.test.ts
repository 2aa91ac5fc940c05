// Users of a real Better Auth server and its real tokens, over HTTP against functions that run as processes.
import { randomUUID } from 'node:crypto'
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answer, newUser, SECRET, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { type FunctionProcess, startFunction } from '../../shared/testing/process.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'
import { type BetterAuthServer, startBetterAuth } from './better-auth-server.ts'

const world = testDeps()
let issuer: BetterAuthServer
let todos: FunctionProcess
let users: FunctionProcess
beforeAll(async () => {
  issuer = await startBetterAuth(SECRET, 'published')
  const environment = testEnvironment({
    BETTER_AUTH_ISSUER: issuer.url,
    BETTER_AUTH_AUDIENCE: issuer.url,
    BETTER_AUTH_JWKS_URL: issuer.jwksUrl,
  })
  const started = await Promise.all([startFunction('todos', environment), startFunction('users', environment)])
  ;[todos, users] = started
})
afterAll(async () => {
  await Promise.all([todos.stop(), users.stop()])
  await issuer.stop()
  await world.deps.db.close()
})

async function visitor(email = `${randomUUID()}@example.com`) {
  const { id, token, cookieCache } = await issuer.signUp({ name: 'Ada Lovelace', email })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const list = `${todos.url}/api/v1/${id}/todos`
  return {
    id,
    email,
    token,
    cookieCache,
    headers,
    list,
    me: () => fetch(`${users.url}/api/v1/me`, { headers }),
    create: (title: string) => fetch(list, { method: 'POST', headers, body: JSON.stringify({ title }) }),
  }
}

describe("a Better Auth server's user", () => {
  it('lets a user of a Better Auth server write and find todos without a registration here', async () => {
    const ada = await visitor()
    expect(await (await world.deps.db.prisma()).user.findUnique({ where: { id: ada.id } })).toBeNull()
    const empty = await fetch(ada.list, { headers: ada.headers })
    expect(await empty.json()).toEqual({ todos: [], count: 0, next_cursor: null })
    const created = await ada.create('Mine')
    expect(created.status).toBe(201)
    const todo = await answer(created, Todo)
    expect(todo).toMatchObject({ user_id: ada.id, title: 'Mine' })
    const list = await answer(await fetch(ada.list, { headers: ada.headers }), TodoPage)
    expect(list.todos).toEqual([todo])
  })

  it('shows a user of a Better Auth server the same profile before and after the first todo', async () => {
    const ada = await visitor()
    const before = await ada.me()
    expect(before.status).toBe(200)
    const profile = await before.json()
    expect(profile).toEqual({ user_id: ada.id, email: ada.email, username: 'Ada Lovelace', created_at: expect.any(String) })
    await ada.create('Mine')
    expect(await (await ada.me()).json()).toEqual(profile)
  })

  it('accepts many first todos of a Better Auth user at once', async () => {
    const ada = await visitor()
    const titles = Array.from({ length: 20 }, (_, n) => `todo ${n}`)
    const responses = await Promise.all([...titles.map((title) => ada.create(title)), ada.me()])
    expect(responses.map(({ status }) => status)).toEqual([...titles.map(() => 201), 200])
    const list = await answer(await fetch(ada.list, { headers: ada.headers }), TodoPage)
    expect(list.todos.map(({ title }) => title).sort()).toEqual(titles.sort())
  })

  it('keeps a Better Auth user apart from the local account with the same email address', async () => {
    const local = await newUser(world)
    const ada = await visitor(local.email)
    expect(ada.id).not.toBe(local.id)
    await ada.create('Hers')
    expect(await (await ada.me()).json()).toMatchObject({ user_id: ada.id, email: local.email })
    const theirs = await fetch(`${todos.url}/api/v1/${local.id}/todos`, { headers: ada.headers })
    expect(theirs.status).toBe(403)
    const mine = await fetch(`${todos.url}/api/v1/${local.id}/todos`, { headers: local.headers })
    expect(await mine.json()).toMatchObject({ count: 0 })
    const hers = await fetch(ada.list, { headers: local.headers })
    expect(hers.status).toBe(403)
    expect(await (await world.deps.db.prisma()).user.findUnique({ where: { id: local.id } })).toMatchObject({
      email: local.email,
      issuer: null,
    })
  })
})

describe('another token of a Better Auth server', () => {
  const status = async (token: string, id: string) =>
    (await fetch(`${todos.url}/api/v1/${id}/todos`, { headers: { authorization: `Bearer ${token}` } })).status

  it('does not accept a cookie cache of the Better Auth server that is signed with its published keys', async () => {
    const { id, token, cookieCache } = await visitor()
    expect(decodeProtectedHeader(cookieCache)).toMatchObject({ alg: 'EdDSA', typ: 'better-auth.session-cache+jwt' })
    expect(await status(token, id)).toBe(200)
    expect(await status(cookieCache, id)).toBe(401)
  })

  it('does not accept a cookie cache of a Better Auth server that is signed with the shared secret', async () => {
    const other = await startBetterAuth(SECRET, 'secret')
    const { id, token, cookieCache } = await other.signUp({ name: 'Eve', email: `${randomUUID()}@example.com` })
    await other.stop()
    expect(decodeProtectedHeader(cookieCache)).toMatchObject({ alg: 'HS256' })
    expect(await status(cookieCache, id)).toBe(401)
    // Nor do the proper tokens of a server that is not configured.
    expect(await status(token, id)).toBe(401)
  })
})
