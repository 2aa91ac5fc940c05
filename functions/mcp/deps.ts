// The dependencies of MCP alone: its sockets, tickets and authorization server.

import { createUserRate } from '../../shared/accounts/user-rates.ts'
import type { Deps } from '../../shared/runtime/deps.ts'
import { type Env, foreignIssuer } from '../../shared/runtime/env.ts'
import type { McpDeps } from './app.ts'
import { createSockets } from './sockets.ts'

/** @throws EnvError */
export function createMcpDeps(env: Env, deps: Deps): McpDeps & Deps {
  const issuer = foreignIssuer(env)?.issuer
  return {
    ...deps,
    sockets: createSockets({
      total: env.MCP_MAX_CONNECTIONS,
      perUser: env.MCP_MAX_CONNECTIONS_PER_USER,
      heldBytes: env.MCP_MAX_HELD_BYTES,
    }),
    ticketRate: createUserRate(deps, { name: 'mcp_ticket', perMinute: env.MCP_TICKETS_PER_MINUTE, what: 'tickets' }),
    maxSeconds: env.MCP_MAX_CONNECTION_SECONDS,
    // The origins alone do not decide: with a cluster on a laptop, its pages call by the cluster's names.
    ownMachine: env.CORS_ORIGINS.includes('loopback') && ['localhost', '127.0.0.1', '::1'].includes(env.HOST ?? ''),
    // An `iss` need not be a URL; any other one is of no use to a client.
    authorizationServer: issuer && URL.canParse(issuer) ? issuer : undefined,
  }
}
