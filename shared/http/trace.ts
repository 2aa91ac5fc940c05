// W3C Trace Context: a request continues its caller's trace, or begins one.
import { randomUUID } from 'node:crypto'

export type Trace = { traceId: string; spanId: string; flags: string }

/** The attributes of a finished request. */
export type Outcome = { route: string; status: number }
/** A request's span. It is exported when it has ended. */
export type RequestSpan = {
  trace: Trace
  /** Starts the span of an outgoing call. The returned function ends it, with the error of a failed call. */
  call(name: string, attributes: Record<string, string>): (error?: unknown) => void
  end(outcome: Outcome): void
}
export type Tracing = {
  begin(traceparent: string | undefined, request: { method: string; path: string }): RequestSpan
  /** Exports the pending spans, for two seconds at most, and stops. */
  end(): Promise<void>
}

/** Version 00 of https://www.w3.org/TR/trace-context/#traceparent-header; all-zero ids are invalid. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/

/** The caller's span that a `traceparent` header names; nothing without a valid one. */
export function readTraceparent(traceparent: string | undefined): Trace | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? []
  return traceId && spanId && flags ? { traceId, spanId, flags } : undefined
}

/** The header for outgoing requests: they become children of this span. */
export const traceparentOf = ({ traceId, spanId, flags }: Trace) => `00-${traceId}-${spanId}-${flags}`

/** The trace that a `traceparent` header names, with a span of our own; a new trace without a valid one. */
export function continueTrace(traceparent: string | undefined): Trace {
  const { traceId = randomHex(), flags = '00' } = readTraceparent(traceparent) ?? {}
  return { traceId, spanId: randomHex().slice(16), flags }
}

/** 32 hex digits, never all zeros. From a UUID, because Node caches random bytes for UUIDs only. */
const randomHex = () => randomUUID().replaceAll('-', '')
