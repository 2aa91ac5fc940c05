// The deadline of a chat request, in three steps: no new work begins, work in flight is abandoned, the answer is sent with what is known.
import { AppError } from '../../shared/core/errors.ts'
import type { ChatLimits } from './limits.ts'

export type Deadline = {
  /** Aborts when no new work may begin: the time is up, or the client has disconnected. */
  stop: AbortSignal
  /** Aborts `graceMs` after `stop`: work in flight is abandoned. */
  giveUp: AbortSignal
  /** Aborts `endingMs` after `stop`: the answer is sent at once. */
  end: AbortSignal
  /** Kept alive: the signal of a garbage-collected request never aborts. */
  request: Pick<Request, 'signal'>
}

/** A deadline that starts now. The signal of `request` aborts when the client disconnects. */
export function createDeadline({ timeMs, graceMs, endingMs }: ChatLimits, request: Pick<Request, 'signal'>): Deadline {
  const stop = AbortSignal.any([AbortSignal.timeout(timeMs), request.signal])
  return { stop, giveUp: after(stop, graceMs), end: after(stop, endingMs), request }
}

/**
 * Waits for work until the signal aborts. The work is not cancelled; its outcome is then ignored.
 * @throws the signal's reason when it aborts first
 */
export async function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const giveUp = () => reject(signal.reason)
  signal.addEventListener('abort', giveUp, { once: true })
  if (signal.aborted) giveUp()
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** The error of a request whose deadline has passed. */
export function outOfTime({ reason }: AbortSignal): AppError {
  const late = reason instanceof Error && reason.name === 'TimeoutError'
  const detail = late ? 'I ran out of time.' : 'The connection was closed before I was done.'
  return new AppError('unavailable', detail, { retryAfter: 5, cause: reason })
}

/** A signal that aborts `ms` milliseconds after `signal`, with its reason. */
function after(signal: AbortSignal, ms: number): AbortSignal {
  const later = new AbortController()
  const begin = () => void setTimeout(() => later.abort(signal.reason), ms).unref()
  if (signal.aborted) begin()
  else signal.addEventListener('abort', begin, { once: true })
  return later.signal
}
