// The app factory: middlewares, health checks and the API description of every function, so that its own file holds only routes.
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import { asAppError } from '../core/failure.ts'
import { annotate, type EventSpec, serves } from '../openapi/route.ts'
import { limitBody } from './body-limit.ts'
import { responseHeaders } from './headers.ts'
import { methodsOf } from './methods.ts'
import { problem } from './problem.ts'
import { createReadiness } from './readiness.ts'
import { describeRequest } from './request.ts'
import type { AnyApp, AppDeps, AppEnv } from './types.ts'

export type AppOptions = {
  /** The function's name, in the log and in the API description. */
  name: string
  /** Its purpose, in one sentence. */
  about?: string
  /** Bytes of a body. No valid input comes near the default. */
  maxBody?: number
  /** The events that the API description lists as webhooks. */
  events?: Readonly<Record<string, EventSpec>>
  /** Other apps that this app's API description covers: locally, one document describes all. */
  describes?: readonly AnyApp[]
}

const Alive = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Alive', example: { status: 'ok' } })
const Document = z.looseObject({ openapi: z.string() }).meta({ id: 'OpenApiDocument' })

/** Creates an app without routes of its own. */
export function createApp(
  { name, about, maxBody = 128 * 1024, events, describes = [] }: AppOptions,
  { db, log, corsOrigins, publicUrl, tracing }: AppDeps,
) {
  const app = new Hono<AppEnv>()
  app.onError((error, c) => problem(c, fromHono(error) ?? asAppError(error), c.get('requestId')))
  app.notFound((c) => {
    const allowed = methodsOf(app, c.req.path)
    if (allowed.length === 0) throw new AppError('not_found', 'There is nothing at this address.')
    c.header('allow', allowed.join(', '))
    if (c.req.method === 'OPTIONS') return c.body(null, 204)
    throw new AppError('method_not_allowed', `This address knows ${allowed.join(', ')} only.`)
  })

  app.use(annotate(describeRequest(name, log, tracing), { function: name, about, events }))
  app.use(responseHeaders({ corsOrigins, publicUrl }))
  app.use(limitBody(maxBody))

  const assertReady = createReadiness(db, log)

  return app
    .get('/health/live', serves({ name: 'live', summary: 'Say that the process runs.', output: Alive }), (c) => c.json({ status: 'ok' }))
    .get(
      '/health/ready',
      serves({ name: 'ready', summary: 'Say that the database can be used.', output: Alive, errors: ['unavailable'] }),
      async (c) => {
        await assertReady()
        return c.json({ status: 'ok' })
      },
    )
    .get('/openapi.json', serves({ name: 'openapi', summary: 'Describe this API (OpenAPI 3.1).', output: Document }), async (c) => {
      const { openApi } = await import('../openapi/openapi.ts')
      return c.json(openApi([app, ...describes]))
    })
}

/** Hono's own errors, which are all client errors. */
function fromHono(error: unknown): AppError | undefined {
  return error instanceof HTTPException && error.status < 500
    ? new AppError('malformed', 'The request cannot be read.', { cause: error })
    : undefined
}
