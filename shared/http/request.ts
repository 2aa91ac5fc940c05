// A request's ids and its log line.
import { randomUUID } from 'node:crypto'
import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import { errorFields, type Log } from '../core/log.ts'
import { continueTrace, type Tracing } from './trace.ts'
import type { AppEnv } from './types.ts'
import { isUpgraded } from './upgrade.ts'

/** The form of a client's own id, which goes into logs and headers. */
const REQUEST_ID = /^[\w.:-]{1,128}$/

export function describeRequest(name: string, log: Log, tracing: Promise<Tracing | undefined> | undefined) {
  return createMiddleware<AppEnv>(async (c, next) => {
    const begun = performance.now()
    const given = c.req.header('x-request-id') ?? ''
    const requestId = REQUEST_ID.test(given) ? given : randomUUID()
    const traceparent = c.req.header('traceparent')
    const span = tracing && (await tracing)?.begin(traceparent, c.req)
    const trace = span?.trace ?? continueTrace(traceparent)
    c.set('requestId', requestId)
    c.set('trace', trace)
    if (span) c.set('span', span)
    await next()
    const { headers } = c.res
    // The Fetch standard has no response with 101, so the route's own was discarded.
    const status = isUpgraded(c) ? 101 : c.res.status
    headers.set('x-request-id', requestId)

    // Probes repeat: why one fails is logged when the reason changes (readiness.ts).
    if ((status < 400 || status === 503) && c.req.path.startsWith('/health/')) return
    const route = routePath(c, -1)
    span?.end({ route, status })
    log(status >= 500 ? 'error' : 'info', 'request', {
      function: name,
      request_id: requestId,
      trace_id: trace.traceId,
      span_id: trace.spanId,
      method: c.req.method,
      route,
      status,
      ms: Math.round((performance.now() - begun) * 10) / 10,
      user_id: c.get('userId'),
      ...(status >= 500 && c.error ? errorFields(c.error) : {}),
    })
  })
}
