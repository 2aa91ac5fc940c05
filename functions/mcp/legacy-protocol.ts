// The protocol of this API's predecessor, for its existing clients on the socket: `{method: "call/<tool>", params, id}` without `jsonrpc`,
// answered as `{id, result}` or `{id, error}`. It took the user's id from `params`; here only the token identifies the user.
import { randomUUID } from 'node:crypto'
import {
  type CallToolResult,
  CallToolResultSchema,
  ErrorCode,
  type JSONRPCErrorResponse,
  type JSONRPCResponse,
} from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import type { LegacyProtocol } from './socket-transport.ts'

const LegacyCall = z.object({
  jsonrpc: z.never().optional(),
  method: z.string().regex(/^call\/\w{1,64}$/),
  params: z.unknown().optional(),
  id: z.union([z.string(), z.number(), z.null()]).optional().catch(null),
})
const Params = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((given) => given ?? {})

export const legacyProtocol: LegacyProtocol = (message) => {
  const { data: call } = LegacyCall.safeParse(message)
  if (!call) return undefined
  const id = call.id ?? null
  const { data: params } = Params.safeParse(call.params)
  if (!params) return { type: 'invalid', answer: { id, error: { code: ErrorCode.InvalidParams, message: 'params: must be an object' } } }
  const { user_id: _, ...args } = params
  return {
    type: 'request',
    // A fresh id: the client's may be missing, or equal that of a JSON-RPC request.
    request: {
      jsonrpc: '2.0',
      id: `legacy-${randomUUID()}`,
      method: 'tools/call',
      params: { name: call.method.slice('call/'.length), arguments: args },
    },
    reply: (response) => ({ id, ...outcome(response) }),
  }
}

function outcome(response: JSONRPCResponse): { result: unknown } | Pick<JSONRPCErrorResponse, 'error'> {
  if ('error' in response) return { error: response.error }
  const result: CallToolResult = CallToolResultSchema.parse(response.result)
  if (!result.isError) return { result: result.structuredContent }
  return { error: { code: -32000, message: result.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n') } }
}
