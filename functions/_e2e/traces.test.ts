// Traces as a collector gets them from a process: one span a request, exported before the end, without delaying a request.
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startServer } from '../../shared/testing/http-server.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { startScriptedModel } from '../../shared/testing/scripted-model.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

const Value = z.object({ stringValue: z.string().optional(), intValue: z.union([z.int(), z.string()]).optional() })
const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .transform((attributes) => Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)])))
const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.int(),
  attributes: Attributes,
  status: z.object({ code: z.int().optional() }),
})
/** https://github.com/open-telemetry/opentelemetry-proto, as JSON. */
const Export = z.object({
  resourceSpans: z.array(
    z.object({ resource: z.object({ attributes: Attributes }), scopeSpans: z.array(z.object({ spans: z.array(Span) })) }),
  ),
})

const exported: { path: string | undefined; key: unknown; body: z.output<typeof Export> }[] = []
const spansOf = (all: typeof exported) =>
  all.flatMap(({ body }) => body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)))
const { url, stop } = await startServer(async (request, response) => {
  if (request.url === '/hangs/v1/traces') return
  const body = Export.parse(JSON.parse(Buffer.concat(await request.toArray()).toString()))
  exported.push({ path: request.url, key: request.headers['x-key'], body })
  response.writeHead(request.url === '/refuses' ? 400 : 200, { 'content-type': 'application/json' }).end('{}')
})
/** Logs each tracing module that is loaded. */
const logLoads = `
  import { registerHooks } from 'node:module'
  registerHooks({ resolve(name, context, next) {
    if (/^@opentelemetry|telemetry/.test(name)) console.log(JSON.stringify({ message: 'loaded', name }))
    return next(name, context)
  } })`
const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(logLoads)}`

beforeEach(() => {
  exported.length = 0
})
afterAll(stop)

it('exports each request as a span with the ids of its log line in the client’s trace, before the process ends', async () => {
  const OTEL = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_HEADERS: 'x-key=secret', K_SERVICE: 'todos', NODE_OPTIONS }
  const todos = await startFunction('todos', testEnvironment(OTEL))
  const user = await newUser(world)
  const path = `/api/v1/${user.id}/todos`
  const parent = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
  const ask = (address: string, flags: string) =>
    fetch(todos.url + address, { headers: { ...user.headers, traceparent: `00-${parent.traceId}-${parent.spanId}-${flags}` } })
  expect((await ask(`${path}?q=secret`, '01')).status).toBe(200)
  expect((await fetch(`${todos.url}/nowhere`, { method: 'PROPFIND' })).status).toBe(404)
  // Successful probes are not exported, nor is an unsampled trace.
  expect((await ask('/health/ready', '01')).status).toBe(200)
  expect((await ask(path, '00')).status).toBe(200)
  await todos.stop()

  expect(todos.lines.map(({ message }) => message)).toContain('loaded')
  expect(exported).toMatchObject([{ path: '/v1/traces', key: 'secret' }])
  expect(exported[0]?.body.resourceSpans).toMatchObject([{ resource: { attributes: { 'service.name': 'todos' } } }])
  const spans = spansOf(exported)
  const logged = todos.lines.filter(({ message }) => message === 'request')
  expect(spans).toMatchObject([
    {
      traceId: parent.traceId,
      parentSpanId: parent.spanId,
      spanId: logged[0]?.span_id,
      name: 'GET /api/v1/:user_id/todos',
      kind: 2,
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/api/v1/:user_id/todos',
        'http.response.status_code': 200,
        'url.path': path,
        'url.scheme': 'http',
      },
    },
    { traceId: logged[1]?.trace_id, spanId: logged[1]?.span_id, name: 'HTTP', attributes: { 'http.request.method': '_OTHER' } },
  ])
  expect(spans).toHaveLength(2)
  expect(spans[1]?.parentSpanId ?? '').toBe('')
  expect(logged[2]).toMatchObject({ trace_id: parent.traceId })
  expect(JSON.stringify(spans)).not.toMatch(/secret|Bearer/)
})

it('exports a failure with its status, and logs spans that the collector refuses', async () => {
  const DATABASE_URL = 'postgresql://nobody:none@127.0.0.1:1/none'
  const todos = await startFunction('todos', testEnvironment({ DATABASE_URL, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/refuses` }))
  const user = await newUser(world)
  expect((await fetch(`${todos.url}/api/v1/${user.id}/todos`, { headers: user.headers })).status).toBe(503)
  await todos.stop()
  const spans = spansOf(exported)
  expect(spans).toMatchObject([{ status: { code: 2 }, attributes: { 'error.type': '503', 'http.response.status_code': 503 } }])
  expect(todos.lines.find(({ message }) => message === 'traces lost')).toMatchObject({ level: 'warn', spans: 1, error_code: '400' })
})

it('exports the calls of a model as spans within the request', async () => {
  const model = await startScriptedModel()
  const OPENAI = { OPENAI_API_KEY: 'any', OPENAI_BASE_URL: model.url }
  const chat = await startFunction('chat', testEnvironment({ ...OPENAI, OTEL_EXPORTER_OTLP_ENDPOINT: url }))
  const headers = { ...(await newUser(world)).headers, 'content-type': 'application/json' }
  const say = (accept: string) =>
    fetch(`${chat.url}/api/v1/chat`, { method: 'POST', headers: { ...headers, accept }, body: '{"message":"Hello"}' })
  model.play([{ text: 'Hello.' }])
  expect((await say('application/json')).status).toBe(200)
  model.play([{ status: 401 }])
  await (await say('text/event-stream')).text()
  await Promise.all([chat.stop(), model.stop()])
  const spans = spansOf(exported)
  const calls = spans.filter(({ kind }) => kind === 3)
  const requests = spans.filter(({ kind }) => kind === 2)
  expect(calls).toMatchObject([
    { name: 'chat', parentSpanId: requests[0]?.spanId, traceId: requests[0]?.traceId, status: { code: 0 } },
    { name: 'chat', parentSpanId: requests[1]?.spanId, status: { code: 2 }, attributes: { 'error.type': 'AppError' } },
  ])
})

// Neither sends anything to the collector that counts.
describe.concurrent('a function', () => {
  it('neither requests nor the end of the process wait for a collector that hangs', async () => {
    const todos = await startFunction('todos', testEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/hangs` }))
    expect((await fetch(`${todos.url}/openapi.json`)).status).toBe(200)
    await todos.stop()
    expect(todos.lines.at(-1)).toMatchObject({ message: 'stopped' })
  })

  it('loads no tracing modules without a collector', async () => {
    const todos = await startFunction('todos', testEnvironment({ NODE_OPTIONS }))
    expect((await fetch(`${todos.url}/openapi.json`)).status).toBe(200)
    await todos.stop()
    expect(todos.lines.map(({ message }) => message)).not.toContain('loaded')
  })
})
