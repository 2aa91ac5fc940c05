// Reads the token of a socket's handshake. Browsers cannot set headers, and some clients can set only the URL.
import type { Context } from 'hono'
import type { Tickets } from '../../shared/accounts/tickets.ts'
import type { Actor } from '../../shared/core/actor.ts'
import { AppError } from '../../shared/core/errors.ts'
import { bearerToken } from '../../shared/http/authenticate.ts'
import type { VerifyToken } from '../../shared/identity/issuers.ts'

/** The subprotocol (RFC 6455, section 1.9) of MCP over a WebSocket, as the SDK's client offers it. */
export const PROTOCOL = 'mcp'
const BEARER = 'bearer.'

/** RFC 6455, section 4.2.1. */
const VERSION = '13'
const KEY = /^[\w+/]{22}==$/

/**
 * Validates a handshake before its ticket is redeemed. Offering no subprotocol is valid.
 * @throws AppError `malformed` when it cannot be completed, or offers subprotocols without `mcp`
 */
export function assertHandshake(c: Context): void {
  if (c.req.header('sec-websocket-version') !== VERSION || !KEY.test(c.req.header('sec-websocket-key') ?? '')) {
    c.header('sec-websocket-version', VERSION)
    throw new AppError('malformed', `This is not a WebSocket handshake of version ${VERSION}.`)
  }
  const offered = offeredProtocols(c)
  if (offered.length > 0 && !offered.includes(PROTOCOL)) {
    throw new AppError('malformed', `The supported subprotocol is ${PROTOCOL}: offer it too.`)
  }
}

function offeredProtocols(c: Context): string[] {
  const header = c.req.header('sec-websocket-protocol') ?? ''
  return header
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
}

/**
 * The actor of a socket, from the first present of: the `Authorization` header, a subprotocol `bearer.<token in base64url>`, and `ticket`
 * in the query string.
 * @throws AppError `unauthenticated`
 */
export async function socketActor(c: Context, { verifyToken, tickets }: { verifyToken: VerifyToken; tickets: Tickets }): Promise<Actor> {
  const authorization = c.req.header('authorization')
  const protocol = offeredProtocols(c).find((name) => name.startsWith(BEARER))
  const ticket = c.req.query('ticket')
  if (authorization !== undefined) return verifyToken(bearerToken(authorization) ?? '')
  if (protocol !== undefined) return verifyToken(Buffer.from(protocol.slice(BEARER.length), 'base64url').toString())
  if (ticket !== undefined) return tickets.redeem(ticket)
  throw new AppError(
    'unauthenticated',
    'An access token is needed: in an Authorization header, in a subprotocol bearer.<base64url>, or as a ticket from POST /api/v1/mcp/ticket.',
  )
}
