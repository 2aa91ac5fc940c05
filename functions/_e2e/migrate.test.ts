// The migration as its Job runs it: a process that migrates, prints the result, and ends.
import path from 'node:path'
import { expect, it } from 'vitest'
import { testEnvironment } from '../../shared/testing/context.ts'
import { startScript } from '../../shared/testing/process.ts'

const main = path.join(import.meta.dirname, '..', 'migrate', 'main.ts')
/** Ends the process with status 99 when it ends because its event loop is empty, instead of by `process.exit`. */
const IDLE = 'data:text/javascript,process.on("beforeExit",()=>process.exit(99))'

const migration = (overrides: Record<string, string> = {}) => startScript(main, testEnvironment(overrides), ['--import', IDLE]).ended

it.concurrent('prints the result and ends without waiting for a timer of the engine', async () => {
  expect(await migration()).toMatchObject({ code: 0, output: 'Nothing to apply.\n' })
})

it.concurrent.each([
  ['may not connect', 'postgresql://todo@database.example.com/todo'],
  ['finds no database', 'postgresql://todo@127.0.0.1:1/todo'],
])('ends with status 1 and one line when it %s', async (_, DATABASE_URL) => {
  const { code, output } = await migration({ DATABASE_URL })
  expect(code).toBe(1)
  expect(output).toMatch(/^DATABASE_URL: .+\n$/)
})
