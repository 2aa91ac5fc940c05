// W3C Trace Context: a request continues its caller's trace, or begins one.
import { randomBytes } from 'node:crypto'

export type Trace = { traceId: string; spanId: string; flags: string }

/** Version 00 of https://www.w3.org/TR/trace-context/#traceparent-header; all-zero ids are invalid. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/

/** The header that continues a trace elsewhere: what we do there is done on behalf of our span. */
export const traceparentOf = ({ traceId, spanId, flags }: Trace) => `00-${traceId}-${spanId}-${flags}`

/** The trace that a `traceparent` header names, with a span of our own; a new trace without a valid one. */
export function continueTrace(traceparent: string | undefined): Trace {
  const [, traceId = randomBytes(16).toString('hex'), flags = '00'] = TRACEPARENT.exec(traceparent ?? '') ?? []
  return { traceId, spanId: randomBytes(8).toString('hex'), flags }
}
