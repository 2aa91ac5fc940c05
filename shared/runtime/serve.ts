// Serves one app in a process: listens, and drains on SIGTERM.
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:net'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { sql } from '@todo/prisma'
import { StartupError } from '@todo/prisma/startup-error'
import { errorFields } from '../core/log.ts'
import { createAdmission } from '../http/admission.ts'
import type { AnyApp, AppDeps } from '../http/types.ts'
import { answerUpgrade, type Sockets, wantsWebSocket } from '../http/upgrade.ts'
import type { ProcessDeps } from './deps.ts'
import { openDoors, sharesPorts } from './doors.ts'
import { admissionLimits, type Env, EnvError, readEnv } from './env.ts'
import { createFront, type FrontOptions } from './front.ts'
import { jsonLog } from './log.ts'

/** Milliseconds. */
const TIMES = {
  /** Longer than any proxy keeps an idle connection: otherwise it may send a request on a connection that was just closed, and answer 502. */
  keepAlive: 120_000,
  headers: 15_000,
  request: 30_000,
  /** The interval of checking those two. */
  check: 5_000,
  /** After listening: when a cold start is over. */
  doors: 1_000,
  /** New requests are still answered for so long while draining: clients learn from `Connection: close`, not from a refused connection. */
  lameDuck: 1_000,
  /** Then no connection is accepted. One that was just accepted has this long to send its request. */
  idle: 250,
  /** The time for running requests to end; an app may override it. */
  drain: 25_000,
}

export type Serving = {
  port: number
  /** Finishes running requests and answers new ones for a moment, then closes. Idempotent. */
  drain(options?: { lameDuck?: number }): Promise<void>
}

export type ServeOptions = FrontOptions & {
  /** 0 picks a free port. */
  port: number
  host?: string | undefined
  /** The open sockets of an app; without it an upgrade is answered like any other request. */
  sockets?: Sockets | undefined
  /** Milliseconds for running requests to end on shutdown: longer than the longest request. */
  drain?: number | undefined
}

/** Listens. @throws EnvError when nothing can listen there */
export async function serve(
  app: Pick<AnyApp, 'fetch'>,
  { port, host, sockets, drain = TIMES.drain, ...options }: ServeOptions,
): Promise<Serving> {
  let draining: Promise<void> | undefined
  const front = createFront(app.fetch, () => draining !== undefined, options)
  // The host of requests without one, which HTTP/1.0 allows.
  const listener = getRequestListener(front.fetch, { hostname: 'localhost' })
  const settings = {
    keepAliveTimeout: TIMES.keepAlive,
    headersTimeout: TIMES.headers,
    requestTimeout: TIMES.request,
    connectionsCheckingInterval: TIMES.check,
    shouldUpgradeCallback: (request: IncomingMessage) => sockets !== undefined && wantsWebSocket(request),
  }
  const running = new Set<ServerResponse>()
  const server = http.createServer(settings, (request, response) => {
    if (draining) announceEnd(response)
    if (front.refuse(request, response)) return
    running.add(response)
    response.once('close', () => running.delete(response))
    listener(request, response)
  })
  server.on('upgrade', (request, socket, head) => answerUpgrade(front.fetch, request, socket, head))
  // With a shared port, a second process on it would not fail.
  if (sharesPorts && port > 0) await assertFree(port, host)
  await listen(server, port, host, sharesPorts)
  const address = server.address()
  const actualPort = typeof address === 'object' && address ? address.port : port
  const doors = openDoors(server, actualPort, host, TIMES.doors)

  async function end(lameDuck: number): Promise<void> {
    for (const response of running) announceEnd(response)
    // The server counts sockets as connections: it closes after the last of them.
    await Promise.all([sleep(lameDuck), sockets?.drain()])
    await quietTurn(server)
    const closed = doors.close()
    const idle = setInterval(() => server.closeIdleConnections(), TIMES.idle)
    const late = setTimeout(() => server.closeAllConnections(), drain)
    await closed
    clearInterval(idle)
    clearTimeout(late)
  }
  return {
    port: actualPort,
    drain: ({ lameDuck = TIMES.lameDuck } = {}) => (draining ??= end(lameDuck)),
  }
}

/**
 * Waits for a turn of the event loop without a new connection, for a second at most. When a listening socket closes, the kernel resets
 * connections that are not yet accepted: right after such a turn there are none.
 */
async function quietTurn(server: Server): Promise<void> {
  let came = true
  const note = () => {
    came = true
  }
  server.on('connection', note)
  for (const deadline = Date.now() + 1_000; came && Date.now() < deadline; ) {
    came = false
    await setImmediate()
  }
  server.off('connection', note)
}

/** Ends the connection with this response, so that the client opens another for its next request. */
function announceEnd(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close')
}

/** @throws EnvError when nothing can listen there */
export async function assertFree(port: number, host: string | undefined): Promise<void> {
  const probe = createServer()
  await listen(probe, port, host)
  probe.close()
  await once(probe, 'close')
}

async function listen(server: Server, port: number, host: string | undefined, reusePort = false): Promise<void> {
  try {
    server.listen({ port, host, reusePort })
    await once(server, 'listening')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') throw new EnvError(`PORT: ${port} is already in use; choose another, e.g. PORT=8001`)
    if (code === 'EACCES') throw new EnvError(`PORT: this user may not listen on ${port}`)
    throw new EnvError(`HOST: is no address of this machine that one can listen on (${code})`)
  }
}

/**
 * Runs a function: environment -> dependencies -> server. Exits with one line for an invalid environment, and with status 0 after draining
 * on SIGTERM or SIGINT; a second signal exits at once.
 */
export async function main<D extends ProcessDeps>(
  environment: NodeJS.ProcessEnv,
  build: (env: Env) => { deps: D; app: Pick<AnyApp, 'fetch'> } & Pick<ServeOptions, 'sockets' | 'drain'>,
): Promise<void> {
  try {
    const env = readEnv(environment)
    const { deps, app, sockets, drain } = build(env)
    // Not awaited: the socket opens meanwhile, and readiness reports an unreachable database.
    deps.db.execute(sql`SELECT 1`).catch(() => {})
    const serving = await serve(app, { port: env.PORT, host: env.HOST, sockets, drain, ...frontOf(env, deps) })
    deps.log('info', 'listening', { port: serving.port })
    onStop(async () => {
      await serving.drain()
      await deps.delivery?.drain()
      await Promise.all([deps.db.close(), (await deps.tracing)?.end()])
      deps.log('info', 'stopped')
    })
  } catch (error) {
    endWith(error)
  }
}

/** The options of the front of a process. */
export function frontOf(env: Env, { corsOrigins, publicUrl, log }: Pick<AppDeps, 'corsOrigins' | 'publicUrl' | 'log'>): FrontOptions {
  return { admission: createAdmission(admissionLimits(env)), corsOrigins, publicUrl, log }
}

/** Runs `stop` on the first SIGTERM or SIGINT, then exits; a second signal exits at once. */
export function onStop(stop: () => Promise<void>): void {
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      stop().then(() => process.exit(0), endWith)
    })
  }
}

/** Exits with status 1. A StartupError is printed as one line for people, any other error as a JSON line with its stack. */
export function endWith(error: unknown): never {
  if (error instanceof StartupError) process.stderr.write(`${error.message}\n`)
  else jsonLog('error', 'failed', errorFields(error))
  process.exit(1)
}
