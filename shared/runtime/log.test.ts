import { sql } from '@todo/prisma'
import { expect, inject, it } from 'vitest'
import { z } from 'zod'
import { run } from '../../prisma/testing.ts'
import { errorFields, LOG_LEVELS } from '../core/log.ts'
import { type LogLine, testDeps } from '../testing/context.ts'
import { createErrorLog, createLog } from './log.ts'

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

it.each([
  ['error', ['error']],
  ['warn', ['error', 'warn']],
  ['info', ['error', 'warn', 'info']],
] as const)('logs only lines as severe as the level %s', (level, expected) => {
  const written: string[] = []
  const log = createLog({ level, write: (given) => written.push(given) })
  for (const given of LOG_LEVELS) log(given, 'line')
  expect(written).toEqual(expected)
})

it('keeps the message of a Prisma error out of the JSON fields', () => {
  const error = Object.assign(new Error('Raw query failed. Code: `23505`. Message: `Key (email)=(ada@example.com)`'), {
    clientVersion: '7',
    meta: { driverAdapterError: { cause: { originalCode: '23505' } } },
  })
  const line = JSON.stringify({ ...errorFields(error) })
  expect(line).toContain('23505')
  expect(line).not.toContain('ada@example.com')
})
