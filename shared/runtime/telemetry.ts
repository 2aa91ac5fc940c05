// Traces for a collector (OTLP over HTTP): a span a request, with the ids that its log line has. Imported only where a collector is named;
// the exporter reads its other variables (headers, timeout, compression) from the environment itself.
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import { errorFields, type Log } from '../core/log.ts'
import { readTraceparent, type Tracing } from '../http/trace.ts'

/** Milliseconds that a process which ends waits for its collector. */
const LAST_WORDS = 2_000
/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/: others must not become names, of which there would be any number. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']

/** `service` is told as `service.name`, unless OTEL_SERVICE_NAME is set. Whether a trace is kept is its caller's choice; one that begins here is. */
export function startTracing(service: string, log: Log): Tracing {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }).merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter: telling(new OTLPTraceExporter(), log) })],
  })
  const tracer = provider.getTracer('todo')
  return {
    begin(traceparent, { method, path }) {
      const parent = readTraceparent(traceparent)
      const context = parent
        ? trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags: Number.parseInt(parent.flags, 16), isRemote: true })
        : ROOT_CONTEXT
      const known = METHODS.includes(method)
      const attributes = {
        'http.request.method': known ? method : '_OTHER',
        ...(known ? {} : { 'http.request.method_original': method }),
        'url.path': path,
        'url.scheme': 'http',
      }
      const span = tracer.startSpan(known ? method : 'HTTP', { kind: SpanKind.SERVER, attributes }, context)
      const { traceId, spanId, traceFlags } = span.spanContext()
      return {
        trace: { traceId, spanId, flags: traceFlags.toString(16).padStart(2, '0') },
        call(name, attributes) {
          const call = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, trace.setSpan(context, span))
          return (error) => {
            if (error !== undefined) call.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', nameOf(error))
            call.end()
          }
        },
        end({ route, status }) {
          span.setAttribute('http.response.status_code', status)
          // What no route knows is said to match all of them.
          if (route !== '/*') span.updateName(`${known ? method : 'HTTP'} ${route}`).setAttribute('http.route', route)
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(status))
          span.end()
        },
      }
    },
    async end() {
      const told = provider.shutdown().catch(() => {})
      await Promise.race([told, sleep(LAST_WORDS, undefined, { ref: false })])
    },
  }
}

/** Never the message: it may hold what a user wrote. */
const nameOf = (error: unknown) => (error instanceof Error ? error.name : typeof error)

/** Says in the log what a collector did not take: nobody else would. */
function telling(exporter: SpanExporter, log: Log): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.error) log('warn', 'traces lost', { spans: spans.length, ...errorFields(result.error) })
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
  }
}
