import { expect, inject, it } from 'vitest'
import { TABLES } from './readiness.ts'
import { run } from './testing.ts'

it('checks the rights on every table that the migrations make', async () => {
  const rows = await run(
    inject('databaseUrl'),
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_prisma_migrations' ORDER BY 1",
  )
  expect([...TABLES].sort()).toEqual(rows.map(({ tablename }) => tablename))
})
