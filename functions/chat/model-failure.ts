// Maps a model server's failure to an error for the user. The server's own text is left out: it may name keys, accounts and hosts.
import { AppError } from '../../shared/core/errors.ts'

export type ModelFailure = {
  failure: AppError
  /** Whether to retry: with backoff, after the server's `Retry-After`, or not at all. */
  retry: 'backoff' | 'retry-after' | false
}

/** The error of an answer that ended early. */
export const truncated = () => new AppError('bad_gateway', "The language model's answer broke off.")

/** Reads an error of the SDK by its status: its classes are in a module that is imported on first use. */
export function readModelFailure(error: unknown): ModelFailure {
  if (error instanceof AppError) return { failure: error, retry: false }
  const { status, headers } = facts(error)
  const retryAfter = secondsIn(headers)
  const retry = retryAfter === undefined ? 'backoff' : 'retry-after'
  if (status === 401 || status === 403)
    return {
      failure: badGateway("The language model's server refuses this server's key. Its operator must check OPENAI_API_KEY.", error),
      retry: false,
    }
  if (status !== undefined && status >= 300 && status < 400)
    return {
      failure: badGateway("The language model's server redirects the request. The operator must check OPENAI_BASE_URL.", error),
      retry: false,
    }
  if (status === 404)
    return {
      failure: badGateway('The language model is not there. The operator must check OPENAI_MODEL and OPENAI_BASE_URL.', error),
      retry: false,
    }
  if (status === 429)
    return {
      failure: modelUnavailable('The language model is overloaded, or its quota is used up. Please try again later.', error, retryAfter),
      retry,
    }
  if (status === undefined || status === 408 || status >= 500)
    return { failure: modelUnavailable('The language model does not answer at the moment. Please try again.', error, retryAfter), retry }
  return { failure: badGateway("The language model's server refuses the request.", error), retry: false }
}

const badGateway = (detail: string, cause: unknown) => new AppError('bad_gateway', detail, { cause })
const modelUnavailable = (detail: string, cause: unknown, retryAfter = 10) => new AppError('unavailable', detail, { cause, retryAfter })

function facts(error: unknown): { status: number | undefined; headers: Headers | undefined } {
  if (!(error instanceof Error)) return { status: undefined, headers: undefined }
  return {
    status: 'status' in error && typeof error.status === 'number' ? error.status : undefined,
    headers: 'headers' in error && error.headers instanceof Headers ? error.headers : undefined,
  }
}

/** `Retry-After` (RFC 9110, section 10.2.3) as seconds; a date counts from now. */
function secondsIn(headers: Headers | undefined): number | undefined {
  const value = headers?.get('retry-after')
  if (!value) return undefined
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : undefined
}
