// MCP over HTTP ("Streamable HTTP"), without sessions: each POST has a server of its own, so that any replica answers any of them.
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { UserContext } from '../../shared/core/context.ts'
import type { Log } from '../../shared/core/log.ts'
import { parseMessage, readMessage } from './messages.ts'
import { authInfoOf, connectServer, createMcpServer } from './server.ts'

/**
 * Answers a POST with this body: one JSON-RPC message in, one JSON answer out, or 202 without a body for a notification. An error of the protocol has the
 * status 400 when its message has no readable id, else 200.
 */
export async function answerPost(request: Request, body: ArrayBuffer, ctx: UserContext, log: Log): Promise<Response> {
  const incoming = readMessage(parseMessage(new Uint8Array(body)))
  if (incoming.type === 'invalid') {
    const { id, error } = incoming
    return Response.json({ jsonrpc: '2.0', id, error }, { status: id === null ? 400 : 200 })
  }
  const server = createMcpServer(ctx, log)
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true })
  await connectServer(server, transport)
  try {
    const parsedBody = incoming.type === 'request' ? incoming.request : incoming.message
    return await transport.handleRequest(request, { parsedBody, authInfo: authInfoOf(ctx.actor) })
  } finally {
    await server.close()
  }
}
