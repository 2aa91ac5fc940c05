// The application's own error. It knows no protocol: REST, chat and MCP each map its kinds to their answers.

export type ErrorKind =
  | 'malformed'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'too_large'
  | 'unsupported_media_type'
  | 'invalid'
  | 'throttled'
  | 'internal'
  | 'bad_gateway'
  | 'unavailable'

/** A rejected value of an input. `pointer` is its JSON Pointer (RFC 6901). */
export type Issue = { pointer: string; detail: string }

export type AppErrorOptions = {
  issues?: Issue[]
  /** Seconds until a retry may succeed. */
  retryAfter?: number
  cause?: unknown
}

export class AppError extends Error {
  readonly kind: ErrorKind
  readonly issues: Issue[] | undefined
  readonly retryAfter: number | undefined

  /** `detail` is shown to the caller: a sentence for people, without internals or other users' data. */
  constructor(kind: ErrorKind, detail: string, { issues, retryAfter, cause }: AppErrorOptions = {}) {
    super(detail, { cause })
    this.name = 'AppError'
    this.kind = kind
    this.issues = issues
    this.retryAfter = retryAfter
  }
}

/** An error for one well-formed value that breaks a rule. */
export function invalid(pointer: string, detail: string): AppError {
  return new AppError('invalid', detail, { issues: [{ pointer, detail }] })
}
