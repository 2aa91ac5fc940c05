// The methods of a path, for the `Allow` of a 405 (RFC 9110, section 15.5.6).
import type { Hono } from 'hono'
import { METHOD_NAME_ALL } from 'hono/router'
import type { AppEnv } from './types.ts'

/** Slow, but called only for requests that no route serves. */
export function methodsOf(app: Hono<AppEnv>, path: string): string[] {
  const methods = new Set(app.routes.map(({ method }) => method).filter((method) => method !== METHOD_NAME_ALL))
  const served = [...methods].filter((method) => app.router.match(method, path)[0].some(([[, route]]) => route.method !== METHOD_NAME_ALL))
  return served.includes('GET') ? [...served, 'HEAD', 'OPTIONS'] : served.length > 0 ? [...served, 'OPTIONS'] : []
}
