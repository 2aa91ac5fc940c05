import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { migrate, pendingChanges } from './migrate.ts'
import { StartupError } from './startup-error.ts'
import { newDatabase, newMigrations, run } from './testing.ts'

async function scratch(migrations: Record<string, string> = {}) {
  const { url, drop } = await newDatabase(inject('databaseUrl'))
  const { directory, write, remove } = await newMigrations(migrations)
  onTestFinished(async () => {
    await drop()
    await remove()
  })
  const tables = async () =>
    (await run(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")).map((row) => row.tablename)
  return { url, directory, write, tables }
}

describe('the migrations', () => {
  it('are applied once, however often and by however many', async () => {
    const { url } = await scratch()
    const names = (await fs.readdir(path.join(import.meta.dirname, 'migrations'))).filter((name) => /^\d/.test(name)).sort()
    const runs = await Promise.all([migrate({ url }), migrate({ url }), migrate({ url })])
    expect(runs.map(({ applied }) => applied).sort()).toEqual([[], [], names])
    expect(await migrate({ url })).toEqual({ applied: [], retried: [] })
    const rows = await run(
      url,
      'SELECT migration_name, finished_at IS NOT NULL AS finished, rolled_back_at, applied_steps_count FROM _prisma_migrations',
    )
    expect(rows).toEqual(names.map((migration_name) => ({ migration_name, finished: true, rolled_back_at: null, applied_steps_count: 1 })))
  })

  it('make what schema.prisma says, and a column more would be noticed', async () => {
    const url = inject('databaseUrl')
    expect(await pendingChanges({ url })).toBe('')
    const schema = await fs.readFile(path.join(import.meta.dirname, 'schema.prisma'), 'utf8')
    const { directory, remove } = await newMigrations({})
    onTestFinished(remove)
    const changed = path.join(directory, 'schema.prisma')
    await fs.writeFile(changed, schema.replace('model Todo {', 'model Todo {\n  colour String?'))
    expect(await pendingChanges({ url }, changed)).toContain('ALTER TABLE "todos" ADD COLUMN     "colour" TEXT')
  })
})

describe('a migration that fails', () => {
  it('leaves nothing behind, is named, and is tried again', async () => {
    const { url, directory, write, tables } = await scratch({
      '1_first': 'CREATE TABLE first (id int);',
      '2_second': "CREATE TABLE second (id int); INSERT INTO second VALUES (1); INSERT INTO second VALUES ('one');",
      '3_third': 'CREATE TABLE third (id int);',
    })
    expect(await lineOf(migrate({ url }, directory))).toMatch(/^Migration 2_second failed and left nothing behind: .*"one".*run it again$/)
    expect(await tables()).toEqual(['_prisma_migrations', 'first'])
    await expect(migrate({ url }, directory)).rejects.toThrow('2_second')
    await write('2_second', 'CREATE TABLE second (id int)')
    expect(await migrate({ url }, directory)).toEqual({ applied: ['2_second', '3_third'], retried: ['2_second'] })
    expect(await tables()).toEqual(['_prisma_migrations', 'first', 'second', 'third'])
    expect(await migrate({ url }, directory)).toEqual({ applied: [], retried: [] })
  })

  it('does not stop another database from being migrated by the same process', async () => {
    const [bad, good] = [await scratch({ '1_bad': 'nonsense' }), await scratch({ '1_good': 'CREATE TABLE good (id int) -- the end' })]
    await expect(migrate(bad, bad.directory)).rejects.toThrow('1_bad')
    expect(await migrate(good, good.directory)).toMatchObject({ applied: ['1_good'] })
  })
})

describe('a database that cannot be migrated', () => {
  it.each([
    ['is read-only', 'ALTER DATABASE current SET default_transaction_read_only = on', /^The database cannot be migrated: .*read-only/],
    ['has tables of something else', 'CREATE TABLE invoices (id int)', /^The database cannot be migrated: .*not empty/],
  ])('is one line without a backtrace when it %s', async (_, sql, words) => {
    const { url } = await scratch()
    await run(url, sql.replace('current', new URL(url).pathname.slice(1)))
    expect(await lineOf(migrate({ url }))).toMatch(words)
  })

  it.each([
    ['nothing listens', (url: URL) => Object.assign(url, { port: '1' }), 'ECONNREFUSED'],
    ['the password is wrong', (url: URL) => Object.assign(url, { password: 'hunter2' }), 'password authentication failed'],
    ['there is no such database', (url: URL) => Object.assign(url, { pathname: '/nowhere' }), 'does not exist'],
  ])('is one line that names DATABASE_URL when %s', async (_, change, reason) => {
    const { href: url } = change(new URL(inject('databaseUrl')))
    const line = await lineOf(migrate({ url }))
    expect(line).toMatch(/^DATABASE_URL: no connection to the database/)
    expect(line).toContain(reason)
    expect(line).not.toContain('hunter2')
  })
})

/** The message of the StartupError that a migration ends with: one line, without the engine's backtrace. */
async function lineOf(migration: Promise<unknown>): Promise<string> {
  const error = await migration.then(
    () => expect.fail('it did not fail'),
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(StartupError)
  expect(error.message).not.toMatch(/\n|\.rs:\d/)
  return error.message
}

describe('a process that is killed in the middle of a migration', () => {
  it('leaves a start without an end, which the next run tries again', async () => {
    const { url, directory, write, tables } = await scratch({ '1_slow': 'CREATE TABLE slow (id int); SELECT pg_sleep(30)' })
    const module = pathToFileURL(path.join(import.meta.dirname, 'migrate.ts')).href
    const script = `import { migrate } from '${module}'; await migrate({ url: process.argv[1] }, process.argv[2])`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, url, directory], { stdio: 'ignore' })
    const sleeping = () => run(url, "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()")
    while ((await sleeping()).length === 0) await sleep(20)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await write('1_slow', 'CREATE TABLE slow (id int)')
    expect(await migrate({ url }, directory)).toEqual({ applied: ['1_slow'], retried: ['1_slow'] })
    expect(await tables()).toEqual(['_prisma_migrations', 'slow'])
  })

  it('cannot have made the change without having noted it: both are one transaction', async () => {
    const { url, directory } = await scratch({
      '1_change': `
        CREATE TABLE noted (by xid8);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO noted VALUES (pg_current_xact_id()); RETURN NULL; END';
        CREATE TRIGGER note AFTER UPDATE OF finished_at ON _prisma_migrations FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TABLE changed AS SELECT pg_current_xact_id() AS by;`,
    })
    await migrate({ url }, directory)
    expect(await run(url, 'SELECT FROM changed JOIN noted USING (by)')).toHaveLength(1)
  })

  it('may have been one that makes an index without a lock', async () => {
    const { url, directory } = await scratch({ '1_table': 'CREATE TABLE t (id int)', '2_index': 'CREATE INDEX CONCURRENTLY i ON t (id)' })
    expect(await migrate({ url }, directory)).toMatchObject({ applied: ['1_table', '2_index'] })
  })
})
