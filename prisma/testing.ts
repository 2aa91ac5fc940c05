// Databases and migrations for the tests of this package.
import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'

/** Runs one statement on a connection of its own. */
export async function run(url: string, sql: string, values?: unknown[]): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql, values)).rows
  } finally {
    await client.end()
  }
}

/** An empty database on the server of `url`; `drop` removes it and disconnects its clients. */
export async function newDatabase(url: string) {
  const name = `scratch_${randomUUID().replaceAll('-', '')}`
  await run(url, `CREATE DATABASE ${name}`)
  return {
    url: Object.assign(new URL(url), { pathname: `/${name}` }).href,
    drop: () => run(url, `DROP DATABASE ${name} WITH (FORCE)`),
  }
}

/** A directory of migrations: names and their SQL. */
export async function newMigrations(migrations: Record<string, string>) {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-migrations-'))
  const write = async (name: string, sql: string) => {
    await fs.mkdir(path.join(directory, name), { recursive: true })
    await fs.writeFile(path.join(directory, name, 'migration.sql'), sql)
  }
  for (const [name, sql] of Object.entries(migrations)) await write(name, sql)
  return { directory, write, remove: () => fs.rm(directory, { recursive: true }) }
}
