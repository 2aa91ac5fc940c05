// The HTTP routes of MCP: the WebSocket handshake, POST, and tickets. The MCP SDK is loaded on first use.
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { createTickets, Ticket } from '../../shared/accounts/tickets.ts'
import type { UserRate } from '../../shared/accounts/user-rates.ts'
import { AppError } from '../../shared/core/errors.ts'
import { createApp } from '../../shared/http/app.ts'
import { signedIn } from '../../shared/http/authenticate.ts'
import { readBody } from '../../shared/http/body-limit.ts'
import { traceparentOf } from '../../shared/http/trace.ts'
import type { AppDeps } from '../../shared/http/types.ts'
import { isUpgrade, takeUpgrade } from '../../shared/http/upgrade.ts'
import type { VerifyToken } from '../../shared/identity/issuers.ts'
import { annotate, serves } from '../../shared/openapi/route.ts'
import { createInboxes } from './inbox.ts'
import { type SocketLimits, socketLimits } from './limits.ts'
import { METADATA_PATH, pointToMetadata, ResourceMetadata, resourceMetadata } from './metadata.ts'
import { assertOrigin } from './origin.ts'
import { assertHandshake, socketActor } from './socket-token.ts'
import type { OpenSockets } from './sockets.ts'

export type McpDeps = AppDeps & {
  verifyToken: VerifyToken
  sockets: OpenSockets
  /** Limits the tickets of each user. */
  ticketRate: UserRate
  /** Maximum age of a socket in seconds. */
  maxSeconds: number
  /** Whether the server listens on loopback only. */
  ownMachine?: boolean | undefined
  /** The URL of the authorization server, where clients obtain tokens. */
  authorizationServer?: string | undefined
  limits?: SocketLimits
}

const Message = z
  .looseObject({ jsonrpc: z.literal('2.0'), method: z.string().optional(), id: z.union([z.string(), z.int(), z.null()]).optional() })
  .meta({ id: 'JsonRpcMessage', example: { jsonrpc: '2.0', id: 1, method: 'tools/list' } })

/** The response to an unreadable POST (JSON-RPC 2.0, section 5.1). */
const RpcFailure = z
  .strictObject({
    jsonrpc: z.literal('2.0'),
    id: z.null(),
    error: z.strictObject({ code: z.int(), message: z.string() }),
  })
  .meta({ id: 'JsonRpcError', example: { jsonrpc: '2.0', id: null, error: { code: -32700, message: 'This is not JSON in UTF-8.' } } })

const socket = {
  name: 'mcp_socket',
  summary: 'Speak MCP over a WebSocket (subprotocol `mcp`).',
  description: [
    'The token comes in an `Authorization` header, in a second subprotocol `bearer.<token in base64url>`, or as `?ticket=` from',
    '`POST /api/v1/mcp/ticket`. It closes with 4401 when the token expires, with 1001 when it is time to connect again. Without',
    '`Upgrade: websocket` the answer is 405: there is no event stream to GET.',
  ].join(' '),
  output: z.looseObject({}),
  errors: ['malformed', 'unauthenticated', 'forbidden', 'method_not_allowed', 'throttled'],
} as const
const post = {
  name: 'mcp',
  summary: 'Speak MCP over HTTP: one JSON-RPC message a request, no sessions.',
  description: '`Accept` must name `application/json` and `text/event-stream`. A request is answered with 200, its errors included.',
  output: Message,
  errors: ['unauthenticated', 'forbidden', 'too_large'],
} as const
const postAnswers = {
  202: { description: 'A notification was accepted' },
  400: { description: 'Not a JSON-RPC message with a readable id, or an unknown MCP-Protocol-Version', schema: RpcFailure },
  406: { description: '`Accept` does not name both media types', schema: RpcFailure },
  415: { description: '`Content-Type` is not application/json', schema: RpcFailure },
}
const ticket = {
  name: 'mcp_ticket',
  summary: 'Get a ticket that opens one WebSocket within 30 seconds.',
  output: Ticket,
  errors: ['throttled'],
} as const
const metadata = {
  name: 'mcp_resource_metadata',
  summary: 'Get the authorization server of MCP (RFC 9728). Only where a Better Auth server is configured.',
  output: ResourceMetadata,
  errors: ['not_found'],
} as const

export function mcpApp(deps: McpDeps) {
  const { db, clock, delivery, quotas, log, lanes, sockets, maxSeconds, publicUrl, authorizationServer, limits = socketLimits } = deps
  const inboxes = createInboxes(limits.userInboxBytes)
  const tickets = createTickets(deps)
  const checkOrigin = createMiddleware(async (c, next) => {
    assertOrigin({ origin: c.req.header('origin'), host: c.req.header('host') }, deps)
    await next()
  })
  const app = createApp({ name: 'mcp', about: 'Todos for models: MCP over WebSocket and HTTP', maxBody: limits.payloadBytes }, deps)
  if (authorizationServer) app.use('/api/v1/mcp/*', pointToMetadata(publicUrl))
  return app
    .get('/api/v1/mcp', serves(socket, { status: 101 }), checkOrigin, async (c) => {
      if (!isUpgrade(c)) {
        c.header('allow', 'POST')
        throw new AppError('method_not_allowed', 'This address takes a WebSocket upgrade or a POST.')
      }
      assertHandshake(c)
      sockets.assertRoom()
      const actor = await socketActor(c, { verifyToken: deps.verifyToken, tickets })
      c.set('userId', actor.userId)
      const { connect } = await import('./connection.ts')
      // Check again right before the upgrade: other sockets may have opened meanwhile.
      sockets.assertRoomFor(actor.userId)
      return takeUpgrade(c, (...upgrade) =>
        connect(
          upgrade,
          { db, clock, delivery, quotas, actor, traceparent: traceparentOf(c.get('trace')) },
          { sockets, inboxes, lanes, log, maxSeconds, limits },
        ),
      )
    })
    .post('/api/v1/mcp', serves(post, { answers: postAnswers }), checkOrigin, signedIn(deps), takesMessage, async (c) => {
      const { answerPost } = await import('./http.ts')
      return answerPost(c.req.raw, await readBody(c), c.var.ctx, log)
    })
    .post('/api/v1/mcp/ticket', serves(ticket, { status: 201 }), signedIn(deps), async (c) =>
      c.json(await tickets.issue(c.var.ctx.actor), 201),
    )
    .get(METADATA_PATH, serves(metadata), (c) => {
      if (!authorizationServer) throw new AppError('not_found', 'No authorization server is configured here.')
      return c.json(resourceMetadata(c, publicUrl, authorizationServer))
    })
}

/** Only describes the body: the handler reads it, and answers an unreadable one with a JSON-RPC error. */
const takesMessage = annotate((_c, next) => next(), { inputs: [{ in: 'json', schema: Message }] })
