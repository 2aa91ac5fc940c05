// Reads what a client sends: JSON-RPC 2.0 messages as MCP uses them. The socket and POST share it, so both answer a bad message alike.
import {
  CallToolRequestParamsSchema,
  CallToolRequestSchema,
  ClientRequestSchema,
  ErrorCode,
  type JSONRPCMessage,
  JSONRPCMessageSchema,
  type JSONRPCRequest,
  JSONRPCRequestSchema,
  type RequestId,
  RequestIdSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'

export type RpcError = { code: number; message: string; data?: unknown }

export type Incoming =
  | { type: 'request'; request: JSONRPCRequest }
  /** A notification or a response: neither is answered. */
  | { type: 'message'; message: JSONRPCMessage }
  /** `id` is null when the message has no readable one (JSON-RPC 2.0, section 5). */
  | { type: 'invalid'; id: RequestId | null; error: RpcError }

/** A tool call. `arguments` may be null, which some clients send for none. */
export const CallTool = CallToolRequestSchema.extend({
  params: CallToolRequestParamsSchema.extend({
    arguments: z
      .record(z.string(), z.unknown())
      .nullish()
      .transform((given) => given ?? {}),
  }),
})

/** Characters of a schema's complaint that are sent back: it may quote the whole message. */
const COMPLAINT_LENGTH = 200

const requestSchemas = new Map<string, z.ZodType>(ClientRequestSchema.options.map((schema) => [schema.shape.method.value, schema]))
requestSchemas.set('tools/call', CallTool)

/** A request whose id can be answered, whatever else is wrong with it. */
const Identified = z.looseObject({ jsonrpc: z.literal('2.0'), id: RequestIdSchema, method: z.unknown().optional() })

/** The value of a JSON text; undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Reads one parsed message; undefined stands for a text that is not JSON. */
export function readMessage(value: unknown): Incoming {
  if (value === undefined) return unidentified(ErrorCode.ParseError, 'This is not JSON in UTF-8.')
  if (Array.isArray(value)) return unidentified(ErrorCode.InvalidRequest, 'Batches are not supported: send one message at a time.')
  const { data: identified } = Identified.safeParse(value)
  if (identified && Object.hasOwn(identified, 'method')) return readRequest(identified.id, value)
  const { data: message } = JSONRPCMessageSchema.safeParse(value)
  return message ? { type: 'message', message } : unidentified(ErrorCode.InvalidRequest, 'This is not a JSON-RPC 2.0 message.')
}

function readRequest(id: RequestId, value: unknown): Incoming {
  const { data: request, error: unfit } = JSONRPCRequestSchema.safeParse(value)
  // The SDK would answer params of a known method that do not fit as an error of the server (JSON-RPC 2.0, section 5.1).
  const error = unfit ?? requestSchemas.get(request.method)?.safeParse(request).error
  const [issue] = error?.issues ?? []
  if (request && !issue) return { type: 'request', request }
  const code = issue?.path[0] === 'params' ? ErrorCode.InvalidParams : ErrorCode.InvalidRequest
  const complaint = issue ? `${issue.path.join('.') || 'message'}: ${issue.message}` : 'This is not a JSON-RPC 2.0 request.'
  return { type: 'invalid', id, error: { code, message: complaint.slice(0, COMPLAINT_LENGTH) } }
}

const unidentified = (code: number, message: string): Incoming => ({ type: 'invalid', id: null, error: { code, message } })
