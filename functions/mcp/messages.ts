// Parses and validates JSON-RPC 2.0 messages of MCP clients. Shared by the socket and POST, so that both answer a bad message alike.
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
import { type JsonLimits, parseJson, TooManyValues } from '../../shared/core/json.ts'

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

/** Of a schema's error message: it may quote the whole input. */
const MAX_ERROR_CHARS = 200

/** Twice the size of a call that changes 50 todos. The SDK's schemas take up to 30 µs a value. */
export const messageLimits = { values: 2_000, levels: 32 } satisfies JsonLimits
const TOO_MANY = `A message may have ${messageLimits.values} values at most, nested ${messageLimits.levels} levels deep.`

const requestSchemas = new Map<string, z.ZodType>(ClientRequestSchema.options.map((schema) => [schema.shape.method.value, schema]))
requestSchemas.set('tools/call', CallTool)

/** A request with a readable id, so that an error can be answered under it. */
const Identified = z.looseObject({ jsonrpc: z.literal('2.0'), id: RequestIdSchema, method: z.unknown().optional() })

export type Parsed = { type: 'value'; value: unknown } | { type: 'unreadable'; error: RpcError }

/** Parses the bytes of a message within `messageLimits`. */
export function parseMessage(bytes: Uint8Array): Parsed {
  try {
    return { type: 'value', value: parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes), messageLimits) }
  } catch (error) {
    if (error instanceof TooManyValues) return { type: 'unreadable', error: { code: ErrorCode.InvalidRequest, message: TOO_MANY } }
    return { type: 'unreadable', error: { code: ErrorCode.ParseError, message: 'This is not JSON in UTF-8.' } }
  }
}

/** Validates one parsed message. */
export function readMessage(parsed: Parsed): Incoming {
  if (parsed.type === 'unreadable') return { type: 'invalid', id: null, error: parsed.error }
  const { value } = parsed
  if (Array.isArray(value)) return notRpc('Batches are not supported: send one message at a time.')
  const { data: identified } = Identified.safeParse(value)
  if (identified && Object.hasOwn(identified, 'method')) return readRequest(identified.id, value)
  const { data: message } = JSONRPCMessageSchema.safeParse(value)
  return message ? { type: 'message', message } : notRpc('This is not a JSON-RPC 2.0 message.')
}

function readRequest(id: RequestId, value: unknown): Incoming {
  const { data: request, error: unfit } = JSONRPCRequestSchema.safeParse(value)
  // The SDK would answer invalid params of a known method with an internal error instead of -32602 (JSON-RPC 2.0, section 5.1).
  const error = unfit ?? requestSchemas.get(request.method)?.safeParse(request).error
  const [issue] = error?.issues ?? []
  if (request && !issue) return { type: 'request', request }
  const code = issue?.path[0] === 'params' ? ErrorCode.InvalidParams : ErrorCode.InvalidRequest
  const complaint = issue ? `${issue.path.join('.') || 'message'}: ${issue.message}` : 'This is not a JSON-RPC 2.0 request.'
  return { type: 'invalid', id, error: { code, message: complaint.slice(0, MAX_ERROR_CHARS) } }
}

const notRpc = (message: string): Incoming => ({ type: 'invalid', id: null, error: { code: ErrorCode.InvalidRequest, message } })
