import fs from 'node:fs/promises'
import path from 'node:path'
import { expect, inject, it, onTestFinished } from 'vitest'
import { migrate } from './migrate.ts'
import { newDatabase, newMigrations, run } from './testing.ts'

const MIGRATIONS = path.join(import.meta.dirname, 'migrations')

it('counts the rows that were there before the counters', async () => {
  const { url, drop } = await newDatabase(inject('databaseUrl'))
  const names = (await fs.readdir(MIGRATIONS)).filter((name) => /^\d/.test(name))
  const sql = async (name: string) => [name, await fs.readFile(path.join(MIGRATIONS, name, 'migration.sql'), 'utf8')] as const
  const before = names.filter((name) => name < '20261124180000_user_counters')
  const { directory, remove } = await newMigrations(Object.fromEntries(await Promise.all(before.map(sql))))
  onTestFinished(async () => {
    await drop()
    await remove()
  })
  await migrate({ url }, directory)
  await run(
    url,
    `INSERT INTO users (id, issuer) VALUES ('ada', 'x'), ('bob', 'x'), ('eve', 'x');
     INSERT INTO todos (id, user_id, title, completed_at)
       SELECT gen_random_uuid(), CASE WHEN n < 8 THEN 'ada' ELSE 'bob' END, 'x', CASE WHEN n % 2 = 0 THEN now() END FROM generate_series(1, 9) AS n;
     INSERT INTO conversations (id, user_id) SELECT gen_random_uuid(), 'ada' FROM generate_series(1, 3)`,
  )
  await migrate({ url })
  expect(await run(url, 'SELECT * FROM user_counters ORDER BY user_id')).toEqual([
    { user_id: 'ada', open_todos: 4, conversations: 3 },
    { user_id: 'bob', open_todos: 1, conversations: 0 },
    { user_id: 'eve', open_todos: 0, conversations: 0 },
  ])
})
