// The twins' HTTP: `node:http` and nothing on top of it. Every answer has the headers and leaves the log line that ours has.
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'

export type Answer = { status: number; body: object; headers?: Record<string, string>; userId?: string }
export type Route = { pattern: string; answer: (request: IncomingMessage) => Promise<Answer> }

export class Refusal extends Error {
  readonly status: number
  readonly errors: { pointer: string; detail: string }[] | undefined

  constructor(status: number, detail: string, errors?: { pointer: string; detail: string }[]) {
    super(detail)
    this.status = status
    this.errors = errors
  }
}

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
}
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  vary: 'Origin',
}
const MAX_BODY = 128 * 1024

/** Listens where the environment says, and logs the port. `find` picks the route of a request, by its method and its path. */
export function listen(name: string, find: (method: string, path: string) => Route | undefined): void {
  const server = createServer({ keepAliveTimeout: 120_000, headersTimeout: 15_000, requestTimeout: 30_000 }, async (request, response) => {
    const begun = performance.now()
    const given = request.headers['x-request-id']
    const requestId = typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
    const trace = traceOf(request.headers.traceparent)
    const { method = 'GET', url = '/' } = request
    const [path = '/'] = url.split('?', 1)
    const route = find(method, path)
    const { status, body, headers, userId } = await answerOf(route, request, path, requestId)
    const text = JSON.stringify(body)
    response.writeHead(status, {
      'content-type': 'application/json',
      ...HEADERS,
      'x-request-id': requestId,
      'content-length': Buffer.byteLength(text),
      ...headers,
    })
    response.end(text)
    if (status < 400 && path.startsWith('/health/')) return
    const fields = { function: name, request_id: requestId, ...trace, method, route: route?.pattern ?? '/*', status }
    log('request', { ...fields, ms: Math.round((performance.now() - begun) * 10) / 10, user_id: userId })
  })
  server.listen(Number(process.env.PORT), process.env.HOST, () => {
    const address = server.address()
    log('listening', { port: typeof address === 'object' ? address?.port : undefined })
  })
}

const log = (message: string, fields: object) =>
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level: 'info', message, ...fields })}\n`)

function traceOf(header: string | string[] | undefined) {
  const known = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.exec(String(header ?? ''))
  return { trace_id: known?.[1] ?? randomBytes(16).toString('hex'), span_id: randomBytes(8).toString('hex') }
}

async function answerOf(route: Route | undefined, request: IncomingMessage, path: string, requestId: string): Promise<Answer> {
  try {
    if (!route) throw new Refusal(404, 'There is nothing at this address.')
    return await route.answer(request)
  } catch (error) {
    const {
      status,
      message: detail,
      errors,
    } = error instanceof Refusal ? error : new Refusal(500, `Something failed. Request id: ${requestId}`)
    const problem = { type: 'about:blank', title: TITLES[status], status, detail, instance: path, message: detail, errors }
    const challenge = request.headers.authorization ? 'Bearer realm="todo", error="invalid_token"' : 'Bearer realm="todo"'
    return {
      status,
      body: problem,
      headers: { 'content-type': 'application/problem+json', ...(status === 401 ? { 'www-authenticate': challenge } : {}) },
    }
  }
}

/** The JSON object in a body; `optional` lets an empty one through as `{}`. */
export async function readJson(request: IncomingMessage, { optional = false } = {}): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BODY) throw new Refusal(413, `A body may have ${MAX_BODY} bytes at the most.`)
    chunks.push(chunk)
  }
  if (size === 0 && optional) return {}
  if (size === 0) throw new Refusal(400, 'A JSON body is needed.')
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new Refusal(415, 'The body must be sent as application/json.')
  const value = parse(Buffer.concat(chunks))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('', 'must be an object')
  return Object.fromEntries(Object.entries(value))
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw new Refusal(400, 'The body is not valid JSON in UTF-8.')
  }
}

export const invalid = (pointer: string, detail: string) =>
  new Refusal(422, `${pointer.slice(1) || 'The input'} ${detail}.`, [{ pointer: `#${pointer}`, detail }])
