// The database stops and starts again: functions answer 503, stay alive, and recover by themselves.
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { startEmbedded } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import { expect, it } from 'vitest'
import { Problem } from '../../shared/openapi/problems.ts'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startFunction } from '../../shared/testing/process.ts'

it('answers 503 while the database is down, and recovers when it is back', async () => {
  const home = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-away-'))
  await fs.chmod(home, 0o711)
  const cluster = { directory: path.join(home, 'postgres'), durable: false }
  const server = await startEmbedded(cluster)
  const DATABASE_URL = await server.database('todo')
  await migrate({ url: DATABASE_URL })
  const world = testDeps({ DATABASE_URL })
  const { id, headers } = await newUser(world)
  await world.deps.db.close()
  const todos = await startFunction('todos', testEnvironment({ DATABASE_URL }))
  const ask = (address: string, init?: RequestInit) => fetch(todos.url + address, { headers, ...init })
  const list = `/api/v1/${id}/todos`
  const write = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{"title":"Kept"}' }
  expect((await ask('/health/ready')).status).toBe(200)
  expect((await ask(list, write)).status).toBe(201)

  await server.stop()
  for (const [address, init] of [['/health/ready'], [list], [list, write]] as const) {
    const response = await ask(address, init)
    expect(response.status).toBe(503)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    const { detail } = await answer(response, Problem)
    expect(detail).not.toMatch(/127\.0\.0\.1|ECONN|postgres|prisma/i)
  }
  expect((await ask('/health/live')).status).toBe(200)
  expect((await ask(list, { headers: {} })).status).toBe(401)

  const again = await startEmbedded({ ...cluster, port: server.port })
  await expect.poll(async () => (await ask('/health/ready')).status, { interval: 50 }).toBe(200)
  expect(await (await ask(list)).json()).toMatchObject({ count: 1, todos: [{ title: 'Kept' }] })
  expect(JSON.stringify(todos.lines)).not.toContain(new URL(DATABASE_URL).password)
  await todos.stop()
  await again.stop()
  await fs.rm(home, { recursive: true })
})
