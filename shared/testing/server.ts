// Vitest's global set-up: one PostgreSQL of its own for the whole run, gone afterwards. With TEST_DATABASE_URL, the URL of an empty
// database on a server that is already there (as a superuser), the tests run against that one instead, and leave their rows in it.
import { startTemporary } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import type { TestProject } from 'vitest/node'

export default async function setup(project: TestProject) {
  const given = process.env.TEST_DATABASE_URL
  const { url, stop } = given ? { url: given, stop: async () => {} } : await startOwn()
  await migrate({ url })
  project.provide('databaseUrl', url)
  return stop
}

async function startOwn() {
  const server = await startTemporary()
  return { url: await server.database('todo'), stop: server.stop }
}
