// Errors as HTTP shows them: RFC 9457 `application/problem+json`, from the one table of kinds.
import type { Context } from 'hono'
import { z } from 'zod'
import type { AppError, ErrorKind } from '../core/errors.ts'

export const problemKinds = {
  malformed: { status: 400, title: 'Bad Request' },
  unauthenticated: { status: 401, title: 'Unauthorized' },
  forbidden: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not Found' },
  method_not_allowed: { status: 405, title: 'Method Not Allowed' },
  conflict: { status: 409, title: 'Conflict' },
  too_large: { status: 413, title: 'Content Too Large' },
  unsupported_media_type: { status: 415, title: 'Unsupported Media Type' },
  invalid: { status: 422, title: 'Unprocessable Content' },
  throttled: { status: 429, title: 'Too Many Requests' },
  internal: { status: 500, title: 'Internal Server Error' },
  bad_gateway: { status: 502, title: 'Bad Gateway' },
  unavailable: { status: 503, title: 'Service Unavailable' },
} as const satisfies Record<ErrorKind, { status: number; title: string }>

export const Problem = z
  .strictObject({
    type: z.literal('about:blank').describe('The status says it all (RFC 9457, section 4.2.1)'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string().describe('What went wrong, for people'),
    instance: z.string().describe('The path that was asked for, as it was sent'),
    message: z.string().describe('The same as `detail`'),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().describe('JSON Pointer (RFC 6901) as a URI fragment, into the body or the parameters'),
          detail: z.string(),
        }),
      )
      .optional()
      .describe('The first 20 faults of the input'),
  })
  .meta({ id: 'Problem' })

/** An error as a response. A 5xx says nothing of its cause but the id under which the log has it. */
export function problem(c: Context, error: AppError, requestId: string): Response {
  const { status } = problemKinds[error.kind]
  const detail = status === 500 ? `${error.message} Request id: ${requestId}` : error.message
  const headers = problemHeaders(error)
  if (status === 401)
    headers['www-authenticate'] = c.req.header('authorization') ? 'Bearer realm="todo", error="invalid_token"' : 'Bearer realm="todo"'
  return c.body(JSON.stringify(problemBody(error, new URL(c.req.url).pathname, detail)), status, headers)
}

/** The body of that response. `instance` is the path as it was sent. */
export function problemBody({ kind, message, issues }: AppError, instance: string, detail = message): z.output<typeof Problem> {
  const { status, title } = problemKinds[kind]
  const errors = issues?.map(({ pointer, detail }) => ({ pointer: `#${pointer}`, detail }))
  return { type: 'about:blank', title, status, detail, instance, message: detail, ...(errors ? { errors } : {}) }
}

/** The headers that follow from the error alone. */
export function problemHeaders({ retryAfter }: AppError): Record<string, string> {
  return { 'content-type': 'application/problem+json', ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }) }
}
