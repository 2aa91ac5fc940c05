import { afterAll, describe, expect, it } from 'vitest'
import { Problem } from '../../shared/openapi/problems.ts'
import { answer, newUser, testDeps } from '../../shared/testing/context.ts'
import { usersApp } from './app.ts'

const world = testDeps()
const { deps } = world
const app = usersApp(deps)
afterAll(() => deps.db.close())

describe('GET /me', () => {
  it('answers GET /me with only the public fields of the account', async () => {
    const user = await newUser(world)
    const { createdAt } = await (await deps.db.prisma()).user.findUniqueOrThrow({ where: { id: user.id } })
    const response = await app.request('/api/v1/me', { headers: user.headers })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({
      user_id: user.id,
      email: user.email,
      username: user.username,
      created_at: createdAt.toISOString(),
    })
  })

  it('answers 401 when the account was deleted, and does not recreate it', async () => {
    const user = await newUser(world)
    await (await deps.db.prisma()).user.delete({ where: { id: user.id } })
    const response = await app.request('/api/v1/me', { headers: user.headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="todo", error="invalid_token"')
    expect(await answer(response, Problem)).toMatchObject({ message: 'This account no longer exists.', instance: '/api/v1/me' })
    expect(await (await deps.db.prisma()).user.findUnique({ where: { id: user.id } })).toBeNull()
  })

  it('does not show a foreign issuer’s account to our own token with the same id', async () => {
    const user = await newUser(world)
    await (await deps.db.prisma()).user.delete({ where: { id: user.id } })
    await (await deps.db.prisma()).user.create({ data: { id: user.id, issuer: 'https://app.example.com', username: 'Ada' } })
    expect((await app.request('/api/v1/me', { headers: user.headers })).status).toBe(401)
  })

  it('answers GET /me with 503 while the database is unavailable', async () => {
    const away = testDeps({ DATABASE_URL: 'postgresql://todo:hunter2@127.0.0.1:9/todo' })
    const user = await newUser(world)
    const response = await usersApp(away.deps).request('/api/v1/me', { headers: user.headers })
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    await away.deps.db.close()
  })
})
