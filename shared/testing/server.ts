// Vitest's global set-up: one temporary PostgreSQL for the whole run. TEST_DATABASE_URL, the URL of an empty database on a running server
// (as a superuser), replaces it; the tests leave their rows there.
import { startTemporary } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import type { TestProject } from 'vitest/node'

type Database = { url: string; stop: () => Promise<void> }

/** Vitest loads this file once a project, at the same time, and all projects share one server. */
const shared: typeof globalThis & { todoTestDatabase?: Promise<Database> | undefined } = globalThis

export default async function setup(project: TestProject) {
  const isFirst = shared.todoTestDatabase === undefined
  shared.todoTestDatabase ??= prepare()
  const { url, stop } = await shared.todoTestDatabase
  project.provide('databaseUrl', url)
  return isFirst ? stop : undefined
}

async function prepare(): Promise<Database> {
  const given = process.env.TEST_DATABASE_URL
  const database = given ? { url: given, stop: async () => {} } : await startOwn()
  await migrate({ url: database.url })
  return database
}

async function startOwn(): Promise<Database> {
  const server = await startTemporary()
  const stop = async () => {
    shared.todoTestDatabase = undefined
    await server.stop()
  }
  return { url: await server.database('todo'), stop }
}
