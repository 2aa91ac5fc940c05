// A start from zero as on Knative: the queue-proxy runs before the function, and a request waits for both.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { TodoPage } from '../../shared/todos/schema.ts'
import { freePort, startQueueProxy } from './queue-proxy.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

it('is ready as soon as it listens, and answers the request that started it', async () => {
  const { id, headers } = await newUser(world)
  const port = await freePort()
  const proxy = await startQueueProxy(port)
  let ready = false
  // Each probe gives up after 10 s, and Kubernetes asks again.
  const probing = (async () => {
    while (!ready) ready = (await proxy.probe()) === 200
  })()
  await sleep(150)
  expect(ready).toBe(false)
  const todos = await startFunction('todos', testEnvironment({ PORT: String(port) }))
  await probing
  expect(await answer(await fetch(`${proxy.url}/api/v1/${id}/todos`, { headers }), TodoPage)).toMatchObject({ todos: [] })
  // A failed readiness probe would have a log line.
  expect(todos.lines.filter(({ message }) => message === 'request')).toMatchObject([{ status: 200 }])
  await todos.stop()
  await proxy.close()
})
