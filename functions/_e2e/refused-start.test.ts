// A process that cannot start: shared/runtime/env.test.ts has every variable and its refused values, this file has the process.
import { expect, it } from 'vitest'
import { testEnvironment } from '../../shared/testing/context.ts'
import { startServer } from '../../shared/testing/http-server.ts'
import { startFunction } from '../../shared/testing/process.ts'

it.concurrent('ends with status 1 and one line that names the variable and hides its value, when a variable is refused', async () => {
  const DATABASE_URL = 'postgresql://todo:hunter2@db.example.com/todo'
  const started = startFunction('todos', testEnvironment({ DATABASE_URL }))
  const refusal = await started.then(String, (error: Error) => error.message)
  expect(refusal).toMatch(/^todos ended with status 1: DATABASE_URL: [^\n]+$/)
  expect(refusal).not.toContain('hunter2')
})

it.concurrent('ends with status 1 and one line that names HOST, when the host is no address of this machine', async () => {
  const started = startFunction('users', testEnvironment({ HOST: '999.0.0.1' }))
  await expect(started).rejects.toThrow(/^users ended with status 1: HOST: (?!.* 999\.0\.0\.1 )[^\n]+$/)
})

it.concurrent('ends with status 1 and one line that names PORT, when the port is in use', async () => {
  const { port, stop } = await startServer()
  const started = startFunction('todos', testEnvironment({ PORT: String(port) }))
  await expect(started).rejects.toThrow(new RegExp(`^todos ended with status 1: PORT: ${port} is already in use[^\\n]*$`))
  await stop()
})
