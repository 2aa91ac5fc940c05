// MCP over HTTP ("Streamable HTTP"), without sessions: each POST has a server of its own, so that any replica answers any of them.
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { ErrorCode, isJSONRPCRequest, JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js'
import type { Log } from '../../shared/http/log.ts'
import { parseJson } from '../../shared/json.ts'
import type { UserContext } from '../../shared/operations/operation.ts'
import { messageLimits, UNREADABLE } from './limits.ts'
import { wrongParams } from './params.ts'
import { authInfoOf, createMcpServer } from './server.ts'

/** Answers a POST with this body: one JSON-RPC message in, one JSON answer out (202 for what needs none). Errors of the protocol are its own, as JSON. */
export async function answerPost(request: Request, body: ArrayBuffer, ctx: UserContext, log: Log): Promise<Response> {
  const parsedBody = parse(body)
  if (parsedBody === undefined) return refusal(ErrorCode.ParseError, UNREADABLE)
  if (Array.isArray(parsedBody)) return refusal(ErrorCode.InvalidRequest, 'Batches are not taken: send one message a request.')
  const { data: message } = JSONRPCMessageSchema.safeParse(parsedBody)
  if (!message) return refusal(ErrorCode.InvalidRequest, 'This is not a JSON-RPC 2.0 message.')
  if (isJSONRPCRequest(message)) {
    const error = wrongParams(message)
    if (error) return Response.json({ jsonrpc: '2.0', id: message.id, error })
  }
  const server = createMcpServer(ctx, log)
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true })
  await server.connect(transport)
  try {
    return await transport.handleRequest(request, { parsedBody, authInfo: authInfoOf(ctx.actor) })
  } finally {
    await server.close()
  }
}

function parse(bytes: ArrayBuffer): unknown {
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes), messageLimits)
  } catch {
    return undefined
  }
}

const refusal = (code: number, message: string) => Response.json({ jsonrpc: '2.0', id: null, error: { code, message } }, { status: 400 })
