// OAuth 2.0 Protected Resource Metadata (RFC 9728): names the authorization server to MCP clients.

import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'

const RESOURCE = '/api/v1/mcp'
/** RFC 9728, section 3.1: the well-known part precedes the resource's own path. */
export const METADATA_PATH = `/.well-known/oauth-protected-resource${RESOURCE}`

export const ResourceMetadata = z
  .strictObject({
    resource: z.url(),
    resource_name: z.string(),
    authorization_servers: z.array(z.url()),
    bearer_methods_supported: z.array(z.literal('header')),
    scopes_supported: z.array(z.string()),
  })
  .meta({ id: 'ProtectedResourceMetadata' })

const originOf = (c: Context, publicUrl: string | undefined) => publicUrl ?? new URL(c.req.url).origin

export function resourceMetadata(c: Context, publicUrl: string | undefined, issuer: string): z.output<typeof ResourceMetadata> {
  return {
    resource: `${originOf(c, publicUrl)}${RESOURCE}`,
    resource_name: 'Todos',
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    scopes_supported: ['todos:read', 'todos:write'],
  }
}

/** Adds the metadata's URL to every 401 and 403 (RFC 9728, section 5.1). */
export function pointToMetadata(publicUrl: string | undefined) {
  return createMiddleware(async (c, next) => {
    await next()
    const { status, headers } = c.res
    if (status !== 401 && status !== 403) return
    const challenge = headers.get('www-authenticate') ?? 'Bearer realm="todo"'
    headers.set('www-authenticate', `${challenge}, resource_metadata="${originOf(c, publicUrl)}${METADATA_PATH}"`)
  })
}
