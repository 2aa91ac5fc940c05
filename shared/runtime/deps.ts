// Creates the apps' dependencies from the environment, for every `main.ts`.
import { createDb, type Db } from '@todo/prisma'
import { errorFields, type Log } from '../core/log.ts'
import { type Delivery, type DeliveryNews, makeDelivery } from '../events/delivery.ts'
import { httpSink, type Send } from '../events/sink.ts'
import type { AppDeps } from '../http/types.ts'
import { createUserLanes } from '../http/user-lanes.ts'
import { createTokenVerifier, type VerifyToken } from '../identity/issuers.ts'
import { databaseOptions, type Env, foreignIssuer, ownIssuer } from './env.ts'
import { createErrorLog, createLog } from './log.ts'

/** The dependencies of a process. Apps only nudge the delivery; the process also sweeps and drains it. */
export type ProcessDeps = AppDeps & { delivery: Delivery | undefined }
export type Deps = ProcessDeps & { verifyToken: VerifyToken }

/** The dependencies of every function. Opens no connection yet. `checkRows`: see `DbOptions`. @throws StartupError when the URL is not allowed */
export function createAppDeps(env: Env, log: Log = createLog({ level: env.LOG_LEVEL }), { checkRows = false } = {}): ProcessDeps {
  const db = createDb({ ...databaseOptions(env), checkRows, onConnectionError: createErrorLog(log, 'database connection lost') })
  return {
    db,
    clock: () => new Date(),
    log,
    corsOrigins: env.CORS_ORIGINS,
    publicUrl: env.PUBLIC_URL,
    lanes: createUserLanes({ running: env.USER_MAX_RUNNING, waiting: env.USER_MAX_WAITING }),
    delivery: env.K_SINK === undefined ? undefined : deliveryTo(httpSink(env.K_SINK, env.K_CE_OVERRIDES), db, log),
    quotas: { openTodos: env.USER_MAX_OPEN_TODOS, conversations: env.USER_MAX_CONVERSATIONS },
    tracing: startTracing(env, log),
  }
}

/** The same with a verifier of access tokens. @throws EnvError, too */
export function createDeps(env: Env, log?: Log, options?: { checkRows: boolean }): Deps {
  const deps = createAppDeps(env, log, options)
  const report = (error: unknown) => deps.log('warn', 'token issuer keys failing', errorFields(error))
  return { ...deps, verifyToken: createTokenVerifier(ownIssuer(env), foreignIssuer(env), deps.clock, report) }
}

/** Delivers the outbox to a sink, and logs failures without users' texts. */
export function deliveryTo(send: Send, db: Db, log: Log) {
  return makeDelivery({ db, send, report: (news) => logNews(log, news) })
}

function logNews(log: Log, news: DeliveryNews): void {
  switch (news.is) {
    case 'failing':
      log('warn', 'events failing', { failed: news.failed, reason: news.reason })
      break
    case 'dead': {
      const { id, type, subject, attempts } = news.event
      log('error', 'event given up', { event_id: id, type, subject, attempts: attempts + 1, reason: news.reason })
      break
    }
    case 'away':
      log('warn', 'events wait for the database', errorFields(news.cause))
  }
}

/** Loads OpenTelemetry only with a configured collector. Requests wait until it is loaded. */
function startTracing(env: Env, log: Log): AppDeps['tracing'] {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT && !env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) return undefined
  return import('./telemetry.ts')
    .then((telemetry) => telemetry.startTracing(env.K_SERVICE, log))
    .catch((error) => {
      log('error', 'no traces', errorFields(error))
      return undefined
    })
}
