// The migration as its Job runs it: a process that does its work, says so, and is gone.
import path from 'node:path'
import { expect, it } from 'vitest'
import { testEnvironment } from '../../shared/testing/context.ts'
import { startScript } from '../../shared/testing/process.ts'

const main = path.join(import.meta.dirname, '..', 'migrate', 'main.ts')
/** Ends the process otherwise when it waits until nothing keeps it any more, instead of ending by itself. */
const IDLE = 'data:text/javascript,process.on("beforeExit",()=>process.exit(99))'

const migration = (overrides: Record<string, string> = {}) => startScript(main, testEnvironment(overrides), ['--import', IDLE]).ended

it('ends with what it did, and waits for no timer that the engine leaves behind', async () => {
  expect(await migration()).toMatchObject({ code: 0, output: 'Nothing to apply.\n' })
})

it.each([
  ['may not connect', 'postgresql://todo@database.example.com/todo'],
  ['finds no database', 'postgresql://todo@127.0.0.1:1/todo'],
])('ends with status 1 and one line when it %s', async (_, DATABASE_URL) => {
  const { code, output } = await migration({ DATABASE_URL })
  expect(code).toBe(1)
  expect(output).toMatch(/^DATABASE_URL: .+\n$/)
})
