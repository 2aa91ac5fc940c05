// Types that the app factory, its middlewares and the processes that serve apps share.
import type { Hono } from 'hono'
import type { Context } from '../core/context.ts'
import type { Log } from '../core/log.ts'
import type { CorsOrigins } from './headers.ts'
import type { RequestSpan, Trace, Tracing } from './trace.ts'
import type { UserLanes } from './user-lanes.ts'

export type AppEnv = { Variables: { requestId: string; trace: Trace; span?: RequestSpan; userId?: string } }

/** An app of any routes. */
export type AnyApp = Pick<Hono<AppEnv>, 'fetch' | 'routes'>

export type Fetch = (request: Request, env?: object) => Response | Promise<Response>

/** The dependencies of every app. */
export type AppDeps = Pick<Context, 'db' | 'clock' | 'delivery' | 'quotas'> & {
  log: Log
  corsOrigins: CorsOrigins
  /** The origin that callers reach the API at. Without it an app knows only the origin of each request. */
  publicUrl: string | undefined
  /** Limits the requests that one user runs and queues in this process. */
  lanes: UserLanes
  /** Exports a span for each request, where a collector is configured. */
  tracing: Promise<Tracing | undefined> | undefined
}
