// Vitest's global set-up: one temporary PostgreSQL for the whole run. TEST_DATABASE_URL, the URL of an empty database on a running server
// (as a superuser), replaces it; the tests leave their rows there.
import { startTemporary } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import type { TestProject } from 'vitest/node'

/** Vitest loads this file once a project, and all projects share one server. */
const shared: typeof globalThis & { todoTestDatabase?: string } = globalThis

export default async function setup(project: TestProject) {
  const running = shared.todoTestDatabase ?? process.env.TEST_DATABASE_URL
  const { url, stop } = running ? { url: running, stop: async () => {} } : await startOwn()
  shared.todoTestDatabase = url
  await migrate({ url })
  project.provide('databaseUrl', url)
  return stop
}

async function startOwn() {
  const server = await startTemporary()
  return {
    url: await server.database('todo'),
    stop: () => {
      shared.todoTestDatabase = undefined
      return server.stop()
    },
  }
}
