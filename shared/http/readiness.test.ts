// /health/ready over databases that cannot be used, each for a reason of its own.

import { randomUUID } from 'node:crypto'
import { sql } from '@todo/prisma'
import { migrate } from '@todo/prisma/migrate'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { newDatabase, run } from '../../prisma/testing.ts'
import { testDeps } from '../testing/context.ts'
import { createApp } from './app.ts'

async function newWorld({ migrated = true } = {}) {
  const { url, drop } = await newDatabase(inject('databaseUrl'))
  onTestFinished(async () => void (await drop()))
  if (migrated) await migrate({ url })
  return { url, name: new URL(url).pathname.slice(1) }
}

function probeOf(DATABASE_URL: string) {
  const { deps, lines } = testDeps({ DATABASE_URL })
  onTestFinished(() => deps.db.close())
  const app = createApp({ name: 'probed' }, deps)
  const probe = async () => (await app.request('/health/ready')).status
  return { probe, lines, db: deps.db }
}

const reasons = (lines: ReturnType<typeof testDeps>['lines']) =>
  lines.filter(({ message }) => /ready/.test(message)).map(({ message, fields }) => fields.reason ?? message)

/** Makes a role that may read and write everything, and answers the URL it connects with. */
async function newRole(url: string): Promise<{ role: string; roleUrl: string }> {
  const role = `role_${randomUUID().replaceAll('-', '')}`
  await run(url, `CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
  onTestFinished(async () => {
    await run(url, `DROP OWNED BY ${role}`)
    await run(url, `DROP ROLE ${role}`)
  })
  await run(url, `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`)
  return { role, roleUrl: Object.assign(new URL(url), { username: role, password: 'x' }).href }
}

describe('/health/ready', () => {
  it('answers 503 while the database is read-only, logs the reason once, and 200 when it takes writes again', async () => {
    const { url, name } = await newWorld()
    const { probe, lines } = probeOf(url)
    expect(await probe()).toBe(200)
    await run(url, `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    // The open connection does not hear of that: as with a failover, the next one does.
    await run(url, 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()')
    await expect.poll(async () => [await probe(), reasons(lines).at(-1)]).toEqual([503, 'the database is read-only'])
    for (let n = 0; n < 5; n++) expect(await probe()).toBe(503)
    await run(inject('databaseUrl'), `ALTER DATABASE ${name} RESET default_transaction_read_only`)
    // The pool gives up its connections to a server that takes no writes: no restart, no end from the server's side.
    await expect.poll(probe, { timeout: 10_000 }).toBe(200)
    expect(reasons(lines).filter((reason) => reason === 'the database is read-only')).toHaveLength(1)
    expect(reasons(lines).at(-1)).toBe('ready again')
  })

  it('answers 503 while a migration of this code is missing, names it in the log, and 200 when it was applied', async () => {
    const { url } = await newWorld()
    const [last] = await run(
      url,
      'DELETE FROM _prisma_migrations WHERE migration_name = (SELECT max(migration_name) FROM _prisma_migrations) RETURNING *',
    )
    const { probe, lines } = probeOf(url)
    for (let n = 0; n < 5; n++) expect(await probe()).toBe(503)
    expect(reasons(lines)).toEqual([`the schema is older than the code: run the migrations (missing: ${last?.migration_name})`])
    const again = (finishedAt: string) =>
      run(url, `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('x', 'x', $1, ${finishedAt})`, [
        last?.migration_name,
      ])
    await again('NULL')
    expect(await probe()).toBe(503)
    await run(url, "DELETE FROM _prisma_migrations WHERE id = 'x'")
    await again('now()')
    expect(await probe()).toBe(200)
  })

  it('answers 503 for a database that was never migrated', async () => {
    const { url } = await newWorld({ migrated: false })
    const { probe, lines } = probeOf(url)
    expect(await probe()).toBe(503)
    expect(reasons(lines)).toEqual([expect.stringContaining('run the migrations')])
  })

  it('answers 200 for a schema that is newer than the code, as while a release rolls out', async () => {
    const { url } = await newWorld()
    await run(
      url,
      "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('x', 'x', '99990101000000_next', now())",
    )
    expect(await probeOf(url).probe()).toBe(200)
  })

  it.each(['SELECT', 'INSERT', 'UPDATE', 'DELETE'])(
    'answers 503 while the role has no right to %s on a table, and names the table in the log',
    async (right) => {
      const { url } = await newWorld()
      const { role, roleUrl } = await newRole(url)
      await run(url, `REVOKE ${right} ON todos FROM ${role}`)
      const { probe, lines } = probeOf(roleUrl)
      for (let n = 0; n < 3; n++) expect(await probe()).toBe(503)
      expect(reasons(lines)).toEqual(['the database role may not read and write: todos'])
      await run(url, `GRANT ${right} ON todos TO ${role}`)
      expect(await probe()).toBe(200)
    },
  )

  it('answers 503 while the role may not see which migrations were applied', async () => {
    const { url } = await newWorld()
    const { role, roleUrl } = await newRole(url)
    await run(url, `REVOKE SELECT ON _prisma_migrations FROM ${role}`)
    const { probe, lines } = probeOf(roleUrl)
    expect(await probe()).toBe(503)
    expect(reasons(lines)).toEqual(['the database role may not read and write: _prisma_migrations'])
  })

  it('asks one cheap statement for all who ask at a time, and looks at the schema until it was in order once', async () => {
    const { url } = await newWorld()
    const { probe } = probeOf(url)
    expect(await Promise.all(Array.from({ length: 50 }, probe))).toEqual(Array(50).fill(200))
    const open = 'SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
    expect(await run(url, open)).toEqual([{ count: 1 }])
    await run(url, 'DELETE FROM _prisma_migrations')
    expect(await probe()).toBe(200)
  })

  it('writes no request line for each probe that fails', async () => {
    const { probe, lines } = probeOf('postgresql://todo@127.0.0.1:1/todo')
    for (let n = 0; n < 5; n++) expect(await probe()).toBe(503)
    expect(lines.map(({ message, fields }) => [message, fields.reason])).toEqual([['not ready', 'database unavailable']])
  })
})

it('answers a write that a read-only database refuses with 503 and Retry-After', async () => {
  const { url, name } = await newWorld()
  await run(inject('databaseUrl'), `ALTER DATABASE ${name} SET default_transaction_read_only = on`)
  const { deps } = testDeps({ DATABASE_URL: url })
  onTestFinished(() => deps.db.close())
  const app = createApp({ name: 'writes' }, deps).post('/write', async (c) =>
    c.json(await deps.db.execute(sql`DELETE FROM todos WHERE false`)),
  )
  const response = await app.request('/write', { method: 'POST' })
  expect(response.status).toBe(503)
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
})
