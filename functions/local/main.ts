// `npm start`: every function on one port, over an embedded PostgreSQL. For development and for a first look.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { asFolderFailure, lockDirectory, readOrMake, startEmbedded } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import { demo, seed } from '@todo/prisma/seed'
import { Hono } from 'hono'
import type { Log } from '../../shared/core/log.ts'
import type { Send } from '../../shared/events/sink.ts'
import { createApp } from '../../shared/http/app.ts'
import { createDeps, type Deps, deliveryTo } from '../../shared/runtime/deps.ts'
import { databaseOptions, type Env, readEnv } from '../../shared/runtime/env.ts'
import { assertFree, endWith, frontOf, onStop, serve } from '../../shared/runtime/serve.ts'
import { createApps } from './apps.ts'
import { docsApp } from './docs.ts'
import { createLocalLog } from './log.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

/** Every function's app behind one `fetch`: each request goes to the function that a cluster's ingress would choose. */
export function localApp(env: Env, deps: Deps) {
  const { apps, passwords, sockets } = createApps(env, deps)
  const functions = Object.values(apps)
  const front = createApp({ name: 'local', describes: functions }, deps)
  const router = new Hono()
  // A browser that opens the bare address gets the API reference.
  router.get('/', (c) => c.redirect('/docs'))
  for (const app of functions) {
    const paths = new Set(app.routes.map((route) => route.path).filter((route) => /^\/($|api\/|\.well-known\/)/.test(route)))
    for (const route of paths) router.all(route, (c) => app.fetch(c.req.raw, c.env))
  }
  router.route('/', docsApp())
  router.all('*', (c) => front.fetch(c.req.raw, c.env))
  return { app: router, functions, passwords, sockets }
}

/** Receives the events when there is no K_SINK, and logs them. */
const createLogSink =
  (log: Log): Send =>
  async ({ id, type, subject }) => {
    log('info', 'event', { event_id: id, type, subject })
    return { is: 'delivered' }
  }

async function start(): Promise<void> {
  const begun = performance.now()
  // An empty variable counts as unset, as in `readEnv`.
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value))
  const environment = { HOST: '127.0.0.1', CORS_ORIGINS: 'loopback', ...given }
  const { PORT, HOST, DATABASE_URL, DATA_DIRECTORY } = readEnv(environment)
  const data = path.resolve(import.meta.dirname, '..', '..', DATA_DIRECTORY)
  const directory = path.join(data, 'postgres')
  // Lock before trying the port: a second start on this folder then fails with the id of the running process.
  const lock = DATABASE_URL === undefined ? await lockDirectory(directory) : undefined
  await assertFree(PORT, HOST)
  const own = lock && (await startEmbedded({ directory, durable: true, log: say, lock }))
  onStop(async () => {
    say('\nStopping …')
    await stop()
  })
  endWithParent()
  let stop = async () => own?.stop()
  try {
    const env = readEnv({
      ...(given.BETTER_AUTH_SECRETS ? {} : { BETTER_AUTH_SECRET: await localSecret(data) }),
      ...environment,
      DATABASE_URL: DATABASE_URL ?? (await own?.database('todo')),
    })
    const { applied } = await migrate(databaseOptions(env))
    if (applied.length > 0) say(`Migrated the database: ${applied.join(', ')}`)
    const { stdout } = process
    const terminal = stdout.isTTY ? { writeLine: say, color: stdout.hasColors() } : undefined
    const made = createDeps(env, createLocalLog(env.LOG_LEVEL, terminal), { checkRows: true })
    const delivery = made.delivery ?? deliveryTo(createLogSink(made.log), made.db, made.log)
    const deps = { ...made, delivery }
    const { app, passwords, sockets } = localApp(env, deps)
    if (own) await seed(deps.db, await passwords.hash(demo.password))
    const serving = await serve(app, { port: env.PORT, host: env.HOST, sockets, ...frontOf(env, deps) })
    stop = async () => {
      await serving.drain({ lameDuck: 0 })
      await delivery.drain()
      await Promise.all([deps.db.close(), (await deps.tracing)?.end()])
      await own?.stop()
    }
    // Deliver events that an earlier start left behind.
    delivery.nudge()
    own?.announce(`http://localhost:${serving.port}`)
    greet(`http://localhost:${serving.port}`, own && data, performance.now() - begun)
  } catch (error) {
    await own?.stop()
    throw error
  }
}

/** npm's shell does not forward SIGTERM: watch for the parent process to disappear. */
function endWithParent(): void {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined) return
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, 200)
}

/** The signing secret, created once and kept with the data, so that tokens stay valid over a restart. */
async function localSecret(data: string): Promise<string> {
  const file = path.join(data, 'secret')
  try {
    await fs.mkdir(data, { recursive: true })
    return await readOrMake(file, () => randomBytes(32).toString('base64url'))
  } catch (error) {
    throw await asFolderFailure(error, file)
  }
}

function greet(base: string, data: string | undefined, ms: number): void {
  say(`
The todo backend is running (after ${(ms / 1000).toFixed(1)} s).

  API             ${base}/api/v1
  MCP             ${base}/api/v1/mcp
  API reference   ${base}/docs
  Description     ${base}/openapi.json
  Health          ${base}/health/ready
  Database        ${data ? `embedded PostgreSQL, its data in ${path.relative(process.cwd(), data) || '.'}` : 'DATABASE_URL'}
${data ? demoCommand(base) : ''}
Ctrl-C stops it.
`)
}

const demoCommand = (base: string) => `
Sign in as the demo user:

  curl -s ${base}/api/v1/users/login -H 'content-type: application/json' \\
    -d '{"email":"${demo.email}","password":"${demo.password}"}'
`

if (import.meta.main) await start().catch(endWith)
