// Turns an upgrade into an MCP connection: the handshake, a server for its user, and a limited lifetime.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { UserContext } from '../../shared/core/context.ts'
import { errorFields, type Log } from '../../shared/core/log.ts'
import type { UserLanes } from '../../shared/http/user-lanes.ts'
import type { Inboxes } from './inbox.ts'
import { legacyProtocol } from './legacy-protocol.ts'
import type { SocketLimits } from './limits.ts'
import { authInfoOf, connectServer, createMcpServer } from './server.ts'
import { PROTOCOL } from './socket-token.ts'
import { type Admission, WebSocketServerTransport } from './socket-transport.ts'
import type { OpenSockets } from './sockets.ts'

export type ConnectionOptions = {
  sockets: OpenSockets
  inboxes: Inboxes
  lanes: UserLanes
  log: Log
  maxSeconds: number
  limits: SocketLimits
}

/** Jitter: clients that connected together must not all reconnect together. */
const lifetimeMs = (maxSeconds: number) => maxSeconds * (0.8 + 0.15 * Math.random()) * 1000

/** Completes the handshake (RFC 6455, section 4.2) and serves the connection until it ends. */
export function connect(
  [request, socket, head]: [IncomingMessage, Duplex, Buffer],
  ctx: UserContext,
  { sockets, inboxes, lanes, log, maxSeconds, limits }: ConnectionOptions,
): void {
  serverFor(limits).handleUpgrade(request, socket, head, (webSocket) => {
    const { userId } = ctx.actor
    const admission: Admission = {
      reserve: (bytes, retry) => inboxes.reserve(userId, bytes, retry),
      enter: (signal) => lanes.enter(userId, signal),
      countHeld: sockets.countHeld,
    }
    const transport = new WebSocketServerTransport(webSocket, {
      admission,
      authInfo: authInfoOf(ctx.actor),
      limits,
      legacyProtocol,
    })
    socket.on('data', (chunk) => transport.countReceived(chunk.length))
    sockets.add(userId, transport)
    endInTime(transport, ctx, maxSeconds)
    const begun = performance.now()
    transport.closed.then((code) =>
      log('info', 'disconnected', { function: 'mcp', user_id: userId, code, seconds: Math.round((performance.now() - begun) / 1000) }),
    )
    connectServer(createMcpServer(ctx, log), transport).catch((error) => {
      log('error', 'connection failed', { function: 'mcp', user_id: userId, ...errorFields(error) })
      transport.hangUp(1011, 'something went wrong on our side')
    })
  })
}

/** Closes the connection when its token expires (4401) or before the platform's time limit (1001). */
function endInTime(transport: WebSocketServerTransport, { actor, clock }: UserContext, maxSeconds: number): void {
  const tokenLeft = actor.expiresAt.getTime() - clock().getTime()
  const left = lifetimeMs(maxSeconds)
  const timer =
    tokenLeft < left
      ? setTimeout(() => transport.leave(4401, 'the token has expired'), tokenLeft)
      : setTimeout(() => transport.leave(1001, 'this connection is old; connect again'), left)
  transport.closed.then(() => clearTimeout(timer))
}

const servers = new Map<SocketLimits, WebSocketServer>()

function serverFor(limits: SocketLimits): WebSocketServer {
  const server =
    servers.get(limits) ??
    new WebSocketServer<typeof WebSocket>({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: limits.payloadBytes,
      handleProtocols: (offered) => offered.has(PROTOCOL) && PROTOCOL,
    })
  servers.set(limits, server)
  return server
}
