// Exports traces to a collector (OTLP over HTTP): one span per request, with the ids of its log line. Loaded only with a configured
// collector; the exporter reads its own variables (headers, timeout, compression) from the environment.
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import { errorFields, type Log } from '../core/log.ts'
import { readTraceparent, type Tracing } from '../http/trace.ts'

/** The longest wait for the collector on shutdown. */
const SHUTDOWN_MS = 2_000
/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/: other methods must not become span names, because clients could create any number. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']

/** `service` is the `service.name`, unless OTEL_SERVICE_NAME is set. The caller decides about sampling; traces that start here are sampled. */
export function startTracing(service: string, log: Log): Tracing {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }).merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter: logging(new OTLPTraceExporter(), log) })],
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
          // Unmatched requests have this route.
          if (route !== '/*') span.updateName(`${known ? method : 'HTTP'} ${route}`).setAttribute('http.route', route)
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(status))
          span.end()
        },
      }
    },
    async end() {
      const exported = provider.shutdown().catch(() => {})
      await Promise.race([exported, sleep(SHUTDOWN_MS, undefined, { ref: false })])
    },
  }
}

/** Never the message: it may hold what a user wrote. */
const nameOf = (error: unknown) => (error instanceof Error ? error.name : typeof error)

/** Logs failed exports, which OpenTelemetry itself would drop silently. */
function logging(exporter: SpanExporter, log: Log): SpanExporter {
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
