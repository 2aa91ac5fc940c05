// W3C Trace Context: a request continues its caller's trace, or begins one.
import { randomUUID } from 'node:crypto'

export type Trace = { traceId: string; spanId: string; flags: string }

/** What is told of a request when it is over. */
export type Outcome = { route: string; status: number }
/** A request as its trace shows it. One that is not ended is not told of. */
export type RequestSpan = {
  trace: Trace
  /** Begins a call of somebody else on the request's behalf. What it returns ends it, with the error if it failed. */
  call(name: string, attributes: Record<string, string>): (error?: unknown) => void
  end(outcome: Outcome): void
}
export type Tracing = {
  begin(traceparent: string | undefined, request: { method: string; path: string }): RequestSpan
  /** Tells what is not told yet, as far as that takes a moment. Afterwards nothing is. */
  end(): Promise<void>
}

/** Version 00 of https://www.w3.org/TR/trace-context/#traceparent-header; all-zero ids are invalid. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/

/** The caller's span that a `traceparent` header names; nothing without a valid one. */
export function readTraceparent(traceparent: string | undefined): Trace | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? []
  return traceId && spanId && flags ? { traceId, spanId, flags } : undefined
}

/** The header that continues a trace elsewhere: what we do there is done on behalf of our span. */
export const traceparentOf = ({ traceId, spanId, flags }: Trace) => `00-${traceId}-${spanId}-${flags}`

/** The trace that a `traceparent` header names, with a span of our own; a new trace without a valid one. */
export function continueTrace(traceparent: string | undefined): Trace {
  const { traceId = randomHex(), flags = '00' } = readTraceparent(traceparent) ?? {}
  return { traceId, spanId: randomHex().slice(16), flags }
}

/** 32 digits, never all zeros; of UUIDs, because Node has those in stock while other random bytes cost a call each. */
const randomHex = () => randomUUID().replaceAll('-', '')
