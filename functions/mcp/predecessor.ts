// What this API's predecessor spoke on its socket, which clients of it still do: `{method: "call/<tool>", params, id}` without `jsonrpc`,
// answered with `{id, result}` or `{id, error}`. It took the user's id from `params`; here the token alone says who calls.
import { randomUUID } from 'node:crypto'
import { type CallToolResult, CallToolResultSchema, type JSONRPCResponse } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import type { Dialect } from './socket-transport.ts'

const PredecessorCall = z.object({
  jsonrpc: z.never().optional(),
  method: z.string().regex(/^call\/\w{1,64}$/),
  params: z.record(z.string(), z.unknown()).nullish(),
  id: z.union([z.string(), z.number(), z.null()]).optional(),
})

export const predecessorDialect: Dialect = (message) => {
  const { data: call } = PredecessorCall.safeParse(message)
  if (!call) return undefined
  const { user_id: _, ...args } = call.params ?? {}
  const id = call.id ?? null
  return {
    // Ids of its own, because the caller's may be missing or meet one of a JSON-RPC request.
    request: {
      jsonrpc: '2.0',
      id: `predecessor-${randomUUID()}`,
      method: 'tools/call',
      params: { name: call.method.slice('call/'.length), arguments: args },
    },
    say: (response) => ({ id, ...outcome(response) }),
  }
}

function outcome(response: JSONRPCResponse): { result: unknown } | { error: { code: number; message: string } } {
  if ('error' in response) return { error: { code: response.error.code, message: response.error.message } }
  const result: CallToolResult = CallToolResultSchema.parse(response.result)
  if (!result.isError) return { result: result.structuredContent }
  return { error: { code: -32000, message: result.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n') } }
}
