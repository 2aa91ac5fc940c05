import { afterAll, describe, expect, it } from 'vitest'
import { Problem } from '../../shared/openapi/problems.ts'
import { answer, newUser, testDeps } from '../../shared/testing/context.ts'
import { usersApp } from './app.ts'

const world = testDeps()
const { deps } = world
const app = usersApp(deps)
afterAll(() => deps.db.close())

describe('GET /me', () => {
  it('shows the account behind the token, and nothing else of it', async () => {
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

  it('answers 401 when the account is gone, and does not bring it back', async () => {
    const user = await newUser(world)
    await (await deps.db.prisma()).user.delete({ where: { id: user.id } })
    const response = await app.request('/api/v1/me', { headers: user.headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="todo", error="invalid_token"')
    expect(await answer(response, Problem)).toMatchObject({ message: 'This account no longer exists.', instance: '/api/v1/me' })
    expect(await (await deps.db.prisma()).user.findUnique({ where: { id: user.id } })).toBeNull()
  })

  it('shows none of another issuer to a token of ours with its id', async () => {
    const user = await newUser(world)
    await (await deps.db.prisma()).user.delete({ where: { id: user.id } })
    await (await deps.db.prisma()).user.create({ data: { id: user.id, issuer: 'https://app.example.com', username: 'Ada' } })
    expect((await app.request('/api/v1/me', { headers: user.headers })).status).toBe(401)
  })

  it('answers 503 while the database is away', async () => {
    const away = testDeps({ DATABASE_URL: 'postgresql://todo:hunter2@127.0.0.1:9/todo' })
    const user = await newUser(world)
    const response = await usersApp(away.deps).request('/api/v1/me', { headers: user.headers })
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    await away.deps.db.close()
  })
})
