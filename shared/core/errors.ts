// The one error the application throws on purpose. It knows nothing of HTTP: each face has its own table from kind to answer.

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

/** One thing that is wrong with an input. `pointer` is a JSON Pointer (RFC 6901) into it. */
export type Issue = { pointer: string; detail: string }

export type AppErrorOptions = {
  issues?: Issue[]
  /** Seconds until another try makes sense. */
  retryAfter?: number
  cause?: unknown
}

export class AppError extends Error {
  readonly kind: ErrorKind
  readonly issues: Issue[] | undefined
  readonly retryAfter: number | undefined

  /** `detail` is shown to the caller: a sentence for people, with nothing in it that they may not know. */
  constructor(kind: ErrorKind, detail: string, { issues, retryAfter, cause }: AppErrorOptions = {}) {
    super(detail, { cause })
    this.name = 'AppError'
    this.kind = kind
    this.issues = issues
    this.retryAfter = retryAfter
  }
}

/** An input that reads well but breaks a rule, at one place. */
export function invalid(pointer: string, detail: string): AppError {
  return new AppError('invalid', detail, { issues: [{ pointer, detail }] })
}
