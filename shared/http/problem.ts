// Errors as HTTP answers: RFC 9457 `application/problem+json`.
import type { Context } from 'hono'
import type { z } from 'zod'
import type { AppError } from '../core/errors.ts'
import { type Problem, problemKinds } from '../openapi/problems.ts'

/** An error as a response. A 500 has the request id instead of its cause, which is in the log. */
export function problem(c: Context, error: AppError, requestId: string): Response {
  const { status } = problemKinds[error.kind]
  const detail = status === 500 ? `${error.message} Request id: ${requestId}` : error.message
  const headers = problemHeaders(error)
  if (status === 401)
    headers['www-authenticate'] = c.req.header('authorization') ? 'Bearer realm="todo", error="invalid_token"' : 'Bearer realm="todo"'
  return c.body(JSON.stringify(problemBody(error, new URL(c.req.url).pathname, detail)), status, headers)
}

/** The body of a problem. `instance` is the path as the client sent it. */
export function problemBody({ kind, message, issues }: AppError, instance: string, detail = message): z.output<typeof Problem> {
  const { status, title } = problemKinds[kind]
  const errors = issues?.map(({ pointer, detail }) => ({ pointer: `#${pointer}`, detail }))
  return { type: 'about:blank', title, status, detail, instance, message: detail, ...(errors ? { errors } : {}) }
}

/** The headers that depend on the error alone. */
export function problemHeaders({ retryAfter }: AppError): Record<string, string> {
  return { 'content-type': 'application/problem+json', ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }) }
}
