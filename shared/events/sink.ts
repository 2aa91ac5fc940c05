// Where events go, and what an answer means: one POST an event, and the status decides.
import { type Extensions, type Message, toMessage } from './cloud-event.ts'
import type { OutboxEvent } from './outbox.ts'

/** `later` is worth another try, not before `after` milliseconds where the sink said so; `refused` would be refused again. */
export type Verdict = { is: 'delivered' } | { is: 'later'; reason: string; after?: number } | { is: 'refused'; reason: string }

/** Never throws. An aborted delivery is one for later. */
export type Send = (event: OutboxEvent, aborted: AbortSignal) => Promise<Verdict>

/**
 * Retried besides 5xx: the statuses that Knative's own senders retry, and those about routing or rights, such as a redirect. Otherwise one
 * wrong policy in a cluster would dead-letter every event.
 */
export const RETRIED: ReadonlySet<number> = new Set([401, 403, 404, 407, 408, 409, 429])
/** Milliseconds that an answer may take: less than a lease (shared/events/delivery.ts). */
const TIMEOUT = 10_000
/** The longest that a sink may make an event wait. */
const LONGEST_WAIT = 60 * 60_000
/** An answer as long as this is read, so that its connection serves the next event. Its content is ignored. */
const SHORT_ANSWER = 64 * 1024

/** Posts to `url` (Knative's K_SINK), with `extensions` added to each event (K_CE_OVERRIDES). */
export function httpSink(url: string, extensions: Extensions = {}, timeout = TIMEOUT): Send {
  return async (event, aborted) => {
    try {
      const response = await post(url, await toMessage(event, extensions), AbortSignal.any([aborted, AbortSignal.timeout(timeout)]))
      return verdictOf(response)
    } catch (error) {
      return { is: 'later', reason: reasonOf(error) }
    }
  }
}

async function post(url: string, { headers, body }: Message, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' })
  // The status has decided already: an answer that breaks off changes nothing.
  if (Number(response.headers.get('content-length') ?? Number.NaN) <= SHORT_ANSWER) await response.arrayBuffer().catch(() => {})
  else await response.body?.cancel().catch(() => {})
  return response
}

function verdictOf({ ok, status, headers }: Response): Verdict {
  if (ok) return { is: 'delivered' }
  const reason = `HTTP ${status}`
  if (status >= 400 && status < 500 && !RETRIED.has(status)) return { is: 'refused', reason }
  return { is: 'later', reason, after: waitOf(headers.get('retry-after')) }
}

/** RFC 9110, section 10.2.3: seconds or a date. In milliseconds; nothing when it says nothing that makes sense. */
function waitOf(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now()
  return wait >= 0 ? Math.min(wait, LONGEST_WAIT) : undefined
}

/** For the row and the log: the error's code, never an address that may hold a password. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.name
}
