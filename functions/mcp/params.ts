// What may stand in a request's `params`, looked at before the SDK does: it would answer what does not fit as an error of the server's.
import {
  CallToolRequestParamsSchema,
  CallToolRequestSchema,
  ClientRequestSchema,
  ErrorCode,
  type JSONRPCRequest,
} from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'

/** As clients send it: some say null for no arguments. */
export const CallTool = CallToolRequestSchema.extend({
  params: CallToolRequestParamsSchema.extend({
    arguments: z
      .record(z.string(), z.unknown())
      .nullish()
      .transform((given) => given ?? {}),
  }),
})

const schemas = new Map<string, z.ZodType>(ClientRequestSchema.options.map((schema) => [schema.shape.method.value, schema]))
schemas.set('tools/call', CallTool)

/** Why the `params` do not fit the method (JSON-RPC 2.0, section 5.1); undefined when they do, or nobody knows the method. */
export function wrongParams(request: JSONRPCRequest): { code: number; message: string } | undefined {
  const issue = schemas.get(request.method)?.safeParse(request).error?.issues[0]
  // The path may hold a name that the client has made up, as long as the message.
  return issue && { code: ErrorCode.InvalidParams, message: `${issue.path.join('.').slice(0, 200).toWellFormed()}: ${issue.message}` }
}
