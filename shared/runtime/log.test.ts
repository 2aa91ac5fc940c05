import { sql } from '@todo/prisma'
import { expect, inject, it } from 'vitest'
import { z } from 'zod'
import { run } from '../../prisma/testing.ts'
import { type LogLine, testDeps } from '../testing/context.ts'
import { createErrorLog } from './log.ts'

it('logs the first of an error that repeats, and after ten seconds how often it did', () => {
  const lines: LogLine[] = []
  let now = 0
  const report = createErrorLog(
    (level, message, fields = {}) => lines.push({ level, message, fields }),
    'lost',
    () => now,
  )
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
  for (let n = 0; n < 1_000; n++) report(reset)
  report(new TypeError('another'))
  expect(lines.map(({ fields }) => [fields.error, fields.repeated])).toEqual([
    ['Error', undefined],
    ['TypeError', undefined],
  ])
  now = 10_000
  report(reset)
  expect(lines[2]).toMatchObject({ level: 'warn', message: 'lost', fields: { error_code: 'ECONNRESET', repeated: 999 } })
})

it('logs a database connection that breaks while it is idle', async () => {
  const { deps, lines } = testDeps()
  const [row] = await deps.db.query(sql`SELECT pg_backend_pid() AS pid`, z.object({ pid: z.number() }))
  await run(inject('databaseUrl'), 'SELECT pg_terminate_backend($1, 5000)', [row?.pid])
  await expect.poll(() => lines).toMatchObject([{ level: 'warn', message: 'database connection lost', fields: { error_code: '57P01' } }])
  await deps.db.close()
})
