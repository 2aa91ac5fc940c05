// Vitest's global set-up: one temporary PostgreSQL for the whole run. TEST_DATABASE_URL, the URL of an empty database on a running server
// (as a superuser), replaces it; the tests leave their rows there.
import { startTemporary } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import type { TestProject } from 'vitest/node'

/** Vitest runs this set-up once a project, in one process: all projects share one migrated server. */
const shared: typeof globalThis & { todoTestDatabase?: string | undefined } = globalThis

export default async function setup(project: TestProject) {
  const { url, stop } = shared.todoTestDatabase ? { url: shared.todoTestDatabase, stop: () => {} } : await prepare()
  project.provide('databaseUrl', url)
  return stop
}

async function prepare() {
  const given = process.env.TEST_DATABASE_URL
  const { url, stop } = given ? { url: given, stop: async () => {} } : await startOwn()
  await migrate({ url })
  shared.todoTestDatabase = url
  return {
    url,
    stop: () => {
      shared.todoTestDatabase = undefined
      return stop()
    },
  }
}

async function startOwn() {
  const server = await startTemporary()
  return { url: await server.database('todo'), stop: server.stop }
}
