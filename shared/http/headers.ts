// Security headers and CORS for every response. Hono's own middlewares are not used: they turn each response into a stream, which halves
// the throughput.
import { createMiddleware } from 'hono/factory'

/** Exact origins; `*` for any; `loopback` for any port of this machine. */
export type CorsOrigins = readonly string[]

/** Responses hold personal data and tokens: no cache may store them, no page frame them, no browser sniff another type. */
const FIXED_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}
const FIXED = Object.entries(FIXED_HEADERS)
const EXPOSED = 'Link, Location, Retry-After, WWW-Authenticate, X-Request-Id'
const METHODS = 'GET, POST, PUT, PATCH, DELETE'
const PREFLIGHT_SECONDS = '600'

/** A year. Without `includeSubDomains`: other hosts of the domain may still speak http. */
const HSTS = 'max-age=31536000'

export type HeaderOptions = {
  corsOrigins: CorsOrigins
  /** The origin that callers reach the API at, if it is known. */
  publicUrl: string | undefined
}

/**
 * Adds the headers and answers preflight requests. A header that a route has set stays. With an https `publicUrl`, responses carry
 * Strict-Transport-Security (RFC 6797), which browsers ignore over plain http.
 */
export function responseHeaders({ corsOrigins: origins, publicUrl }: HeaderOptions) {
  const any = origins.includes('*')
  const fixed = fixedHeaders(publicUrl)
  return createMiddleware(async (c, next) => {
    const preflight = c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined
    if (preflight) c.res = c.body(null, 204)
    else await next()

    const { headers } = c.res
    for (const [name, value] of fixed) if (!headers.has(name)) headers.set(name, value)
    if (!any) headers.append('vary', 'Origin')
    const origin = c.req.header('origin')
    if (origin === undefined || !isAllowed(origin, origins)) return

    headers.set('access-control-allow-origin', any ? '*' : origin)
    // The standard forbids the two together.
    if (!any) headers.set('access-control-allow-credentials', 'true')
    if (!preflight) return headers.set('access-control-expose-headers', EXPOSED)
    headers.set('access-control-allow-methods', METHODS)
    headers.set('access-control-allow-headers', c.req.header('access-control-request-headers') ?? '')
    headers.set('access-control-max-age', PREFLIGHT_SECONDS)
    headers.append('vary', 'Access-Control-Request-Headers')
  })
}

function fixedHeaders(publicUrl: string | undefined): [name: string, value: string][] {
  return [...FIXED, ...(isHttpsHost(publicUrl) ? [['strict-transport-security', HSTS] as [string, string]] : [])]
}

/** Not for localhost: the policy would apply to every port, and so to a developer's other servers. */
function isHttpsHost(publicUrl: string | undefined): boolean {
  const url = publicUrl === undefined ? null : URL.parse(publicUrl)
  return url?.protocol === 'https:' && url.hostname !== 'localhost'
}

/** The same headers, for a response outside of the app. */
export function bareHeaders({ corsOrigins: origins, publicUrl }: HeaderOptions, origin: string | undefined): Record<string, string> {
  const any = origins.includes('*')
  const headers: Record<string, string> = { ...Object.fromEntries(fixedHeaders(publicUrl)), ...(any ? {} : { vary: 'Origin' }) }
  if (origin === undefined || !isAllowed(origin, origins)) return headers
  headers['access-control-allow-origin'] = any ? '*' : origin
  if (!any) headers['access-control-allow-credentials'] = 'true'
  headers['access-control-expose-headers'] = EXPOSED
  return headers
}

/** Whether pages of this origin may call. */
export function isAllowed(origin: string, allowed: CorsOrigins): boolean {
  if (allowed.includes('*') || allowed.includes(origin)) return true
  return allowed.includes('loopback') && /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin)
}
