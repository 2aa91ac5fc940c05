// `npm run check:images -- [--runner podman] [--tag dev] [--signal SIGTERM]`: the images `todo-<function>:<tag>` as a cluster runs them,
// over a real database: migrated, called, and ended under load. Ends with status 1 when a check fails.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { createDb } from '@todo/prisma'
import { startTemporary } from '@todo/prisma/embedded'
import type { z } from 'zod'
import { Session } from '../../../shared/accounts/users.ts'
import { LISTENING } from '../../../shared/testing/child.ts'
import { askUntilRefused } from '../../../shared/testing/client.ts'
import { memoryOf } from '../../../shared/testing/process-usage.ts'
import { COPIED_PACKAGES } from '../packages.ts'
import { type Container, makeRunner } from './container.ts'

/** MiB that a function may hold at rest. */
const AT_REST = 128
const CONNECTIONS = 50
/** Answers before the function gets the signal. */
const WARM = 500

const { values } = parseArgs({
  options: {
    runner: { type: 'string', default: 'docker' },
    tag: { type: 'string', default: 'dev' },
    signal: { type: 'string', default: 'SIGTERM' },
  },
})
const runner = makeRunner(values.runner)
const image = (name: string) => `todo-${name}:${values.tag}`
const say = (line: string) => process.stdout.write(`${line}\n`)
const json = { 'content-type': 'application/json' }

/** What a function's image holds beside its own files: a native addon at the most, all of it readable for nonroot and nothing writable. */
async function checkContents(name: string, packages: string[]): Promise<void> {
  const look = `
    const fs = require('node:fs')
    const files = fs.readdirSync('.', { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const paths = files.map((entry) => entry.parentPath + '/' + entry.name)
    for (const path of paths) fs.accessSync(path, fs.constants.R_OK)
    const refused = [...paths, '/tmp/x'].every((path) => { try { fs.writeFileSync(path, '') } catch { return true } })
    console.log(JSON.stringify({ uid: process.getuid(), refused, paths }))`
  const container = runner.start(image(name), {}, ['-e', look])
  await endsWell(container)
  const { uid, refused, paths }: { uid: number; refused: boolean; paths: string[] } = JSON.parse(container.lines.at(-1) ?? '')
  assert.deepEqual({ uid, refused }, { uid: 65532, refused: true })
  const found = new Set(paths.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []))
  assert.deepEqual([...found].sort(), packages.toSorted())
  say(`ok   ${name}: ${paths.length} files, not root, nothing to write to, packages: ${packages.join(', ') || 'none'}`)
}

/** @throws Error with the container's last lines, when it ends with another status than 0 */
async function endsWell(container: Container): Promise<void> {
  const { code, output } = await container.ended
  assert.equal(code, 0, output.trim().split('\n').slice(-5).join('\n'))
}

/** Starts a function on a free port. @throws Error when it ends instead of listening */
async function start(name: string, environment: Record<string, string>) {
  const container = runner.start(image(name), { ...environment, PORT: '0', HOST: '127.0.0.1' })
  const [, port] = await container.line(LISTENING).catch((error: Error) => Promise.reject(new Error(`${name} ${error.message}`)))
  return { ...container, url: `http://127.0.0.1:${port}` }
}

async function checkMemory(name: string, pid: number): Promise<void> {
  const { rss, own } = await memoryOf(pid)
  const held = `${name} holds ${rss.toFixed(0)} MiB at rest, ${own.toFixed(0)} of them its own`
  if (Number.isNaN(rss)) return void say("SKIPPED: memory at rest: this user may not look at the container's process")
  assert.ok(rss <= AT_REST, held)
  say(`ok   ${held}; at most ${AT_REST}`)
}

async function signIn(url: string): Promise<z.infer<typeof Session>> {
  const account = { email: 'image@example.com', username: 'image', password: 'correct horse battery' }
  const post = (path: string) => fetch(`${url}/api/v1/users/${path}`, { method: 'POST', headers: json, body: JSON.stringify(account) })
  const registered = await post('register')
  assert.equal(registered.status, 201, await registered.text())
  const { email, password } = account
  const login = await fetch(`${url}/api/v1/users/login`, { method: 'POST', headers: json, body: JSON.stringify({ email, password }) })
  return Session.parse(await login.json())
}

/** Sends the signal under load from many kept connections: every accepted request is answered, and every answered write is stored. */
async function endUnderLoad(
  todos: Container & { url: string },
  { access_token, user }: z.infer<typeof Session>,
  databaseUrl: string,
): Promise<void> {
  const headers = { ...json, authorization: `Bearer ${access_token}` }
  const list = { method: 'GET', headers }
  const add = { method: 'POST', headers, body: '{"title":"Written under load"}' }
  const statuses = new Map<number | undefined, number>()
  let answers = 0
  const warm = Promise.withResolvers<void>()
  const url = `${todos.url}/api/v1/${user.id}/todos?limit=20`
  const clients = Array.from({ length: CONNECTIONS }, () =>
    askUntilRefused(url, [list, list, add], ({ status }) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (++answers === WARM) warm.resolve()
    }),
  )
  const load = Promise.allSettled(clients)
  await Promise.race([warm.promise, Promise.all(clients)])
  await todos.signal(values.signal)
  const lost = (await load).flatMap((client) => (client.status === 'rejected' ? [String(client.reason)] : []))
  assert.equal(lost.length, 0, `${lost.length} of ${answers + lost.length} requests were lost: ${[...new Set(lost)].join(', ')}`)
  await endsWell(todos)
  assert.deepEqual([...statuses.keys()].sort(), [200, 201])
  assert.ok(answers > WARM, 'nothing was asked after the signal')
  const db = createDb({ url: databaseUrl })
  const written = await (await db.prisma()).todo.count({ where: { userId: user.id } }).finally(() => db.close())
  assert.equal(written, statuses.get(201), 'todos in the database, and answers that say so')
  say(`ok   ${values.signal} under load of ${CONNECTIONS} connections: all of ${answers} requests answered, status 0`)
}

await checkContents('todos', [])
await checkContents('auth', COPIED_PACKAGES.auth ?? [])
const server = await startTemporary()
const running: Container[] = []
try {
  const environment = {
    DATABASE_URL: await server.database('todo'),
    BETTER_AUTH_SECRET: randomBytes(32).toString('hex'),
    // One user makes all of the load, and none of it is to be refused.
    USER_MAX_RUNNING: '1000',
    MAX_WAIT_MS: '30000',
  }
  const migration = runner.start(image('migrate'), environment)
  await endsWell(migration)
  say(`ok   migrate: ${migration.lines.join(' ')}`)

  const [auth, todos] = await Promise.all([start('auth', environment), start('todos', environment)])
  running.push(auth, todos)
  const session = await signIn(auth.url)
  const headers = { authorization: `Bearer ${session.access_token}` }
  const mine = await fetch(`${todos.url}/api/v1/${session.user.id}/todos`, { headers })
  assert.deepEqual(await mine.json(), { todos: [], count: 0, next_cursor: null })
  say("ok   a token of auth's opens todos")
  for (const [name, container] of Object.entries({ auth, todos })) {
    await checkMemory(name, await container.pid())
  }
  await endUnderLoad(todos, session, environment.DATABASE_URL)
  await auth.signal('SIGTERM')
  await endsWell(auth)
} catch (error) {
  say(`WRONG ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
} finally {
  await Promise.all(running.map((container) => container.signal('SIGKILL').catch(() => {})))
  await server.stop()
}
