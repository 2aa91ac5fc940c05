// MCP over HTTP ("Streamable HTTP"), without sessions: each POST has a server of its own, so that any replica answers any of them.
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { Log } from '../../shared/http/log.ts'
import type { UserContext } from '../../shared/operations/operation.ts'
import { parseJson, readMessage } from './messages.ts'
import { authInfoOf, connectServer, createMcpServer } from './server.ts'

/**
 * Answers a POST: one JSON-RPC message in, one JSON answer out, or 202 without a body for a notification. An error of the protocol has the
 * status 400 when its message has no readable id, else 200.
 */
export async function answerPost(request: Request, ctx: UserContext, log: Log): Promise<Response> {
  const parsedBody = parseJson(decode(await request.arrayBuffer()))
  const incoming = readMessage(parsedBody)
  if (incoming.type === 'invalid') {
    const { id, error } = incoming
    return Response.json({ jsonrpc: '2.0', id, error }, { status: id === null ? 400 : 200 })
  }
  const server = createMcpServer(ctx, log)
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true })
  await connectServer(server, transport)
  try {
    return await transport.handleRequest(request, { parsedBody, authInfo: authInfoOf(ctx.actor) })
  } finally {
    await server.close()
  }
}

/** UTF-8 as text; no JSON for other bytes, which the platform's JSON reader would replace silently. */
function decode(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return ''
  }
}
