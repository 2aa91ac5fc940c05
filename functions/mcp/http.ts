// MCP over HTTP ("Streamable HTTP"), without sessions: each POST gets its own server, so that any replica can answer it.
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { UserContext } from '../../shared/core/context.ts'
import type { Log } from '../../shared/core/log.ts'
import { parseMessage, readMessage } from './messages.ts'
import { authInfoOf, connectServer, createMcpServer } from './server.ts'

/**
 * Answers one JSON-RPC message with one JSON response, or a notification with 202 and no body. A protocol error has the status 400 when
 * its message has no readable id, else 200.
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
