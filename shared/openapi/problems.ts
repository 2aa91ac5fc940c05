// The problem answers of the API: one table from the kind of an error to its status, and the schema of the body.
import { z } from 'zod'
import type { ErrorKind } from '../core/errors.ts'

/** The status and title of each kind of error. */
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

/** The body of an error (RFC 9457, section 3), with `message` for clients that read only that. */
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
