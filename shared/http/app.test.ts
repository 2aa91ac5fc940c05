// What every function does the same way: problems, ids, traces, the log line, the rules for browsers.
import { createServer, type Socket } from 'node:net'
import { raw } from '@todo/prisma'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AppError, type ErrorKind } from '../core/errors.ts'
import { Problem, problemKinds } from '../openapi/problems.ts'
import { answer, testDeps } from '../testing/context.ts'
import { listen } from '../testing/http-server.ts'
import { createApp } from './app.ts'
import { signedIn } from './authenticate.ts'
import { body } from './validate.ts'

const { deps, lines } = testDeps()
afterAll(() => deps.db.close())

const SECRET = 'canary-7f3a'
const app = createApp({ name: 'tried' }, deps)
  .get('/fails/:kind', (c) => {
    throw new AppError(c.req.param('kind') as ErrorKind, 'It went wrong.', { retryAfter: 7, issues: [{ pointer: '/a', detail: 'is bad' }] })
  })
  .get('/crash', () => {
    throw new TypeError(`cannot read ${SECRET}`)
  })
  .get('/sql', async (c) => c.json(await deps.db.execute(raw(`SELECT '${SECRET}' FROM nowhere`))))
  .get('/raw', () => new Response('raw'))
  .get('/own', (c) => c.json({}, 200, { 'cache-control': 'max-age=5' }))
  .post('/echo', signedIn(deps), body(z.strictObject({ password: z.string() })), (c) =>
    c.json({ length: c.req.valid('json').password.length }),
  )
  .put('/echo', (c) => c.json({}))

/** A request under an id of its own, with the lines that it logged. */
async function ask(path: string, init: RequestInit = {}) {
  const id = crypto.randomUUID()
  const response = await app.request(path, { ...init, headers: { 'x-request-id': id, ...init.headers } })
  const logged = () => lines.filter(({ fields }) => fields.request_id === response.headers.get('x-request-id'))
  return { id, response, logged }
}

describe('readiness', () => {
  it('costs a database that is slow to answer one connection, however often it is asked for', async () => {
    const connections: Socket[] = []
    const silent = createServer((socket) => connections.push(socket.on('error', () => {})))
    const { port, stop } = await listen(silent)
    const slow = testDeps({ DATABASE_URL: `postgresql://any:any@127.0.0.1:${port}/any` }).deps
    const { request } = createApp({ name: 'slow' }, slow)
    const probes = Array.from({ length: 20 }, () => request('/health/ready'))
    await expect.poll(() => connections.length, { interval: 10 }).toBeGreaterThan(0)
    for (const connection of connections) connection.destroy()
    expect((await Promise.all(probes)).map(({ status }) => status)).toEqual(Array(20).fill(503))
    expect(connections).toHaveLength(1)
    // It asks anew when that is over.
    const again = request('/health/ready')
    await expect.poll(() => connections.length, { interval: 10 }).toBe(2)
    connections[1]?.destroy()
    expect((await again).status).toBe(503)
    await stop()
    await slow.db.close()
  })
})

describe('a problem', () => {
  it.each(Object.keys(problemKinds) as ErrorKind[])('of the kind %s has its status and all of its fields', async (kind) => {
    const { response, id } = await ask(`/fails/${kind}?secret=1`)
    const { status, title } = problemKinds[kind]
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const detail = kind === 'internal' ? `It went wrong. Request id: ${id}` : 'It went wrong.'
    const errors = [{ pointer: '#/a', detail: 'is bad' }]
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title,
      status,
      detail,
      instance: `/fails/${kind}`,
      message: detail,
      errors,
    })
    expect(response.headers.get('retry-after')).toBe('7')
    expect(response.headers.has('www-authenticate')).toBe(status === 401)
  })

  it('has a WWW-Authenticate header that names invalid_token only when a token was sent', async () => {
    const challenge = async (headers: Record<string, string>) =>
      (await ask('/echo', { method: 'POST', headers })).response.headers.get('www-authenticate')
    expect(await challenge({})).toBe('Bearer realm="todo"')
    expect(await challenge({ authorization: 'Bearer nonsense' })).toBe('Bearer realm="todo", error="invalid_token"')
  })

  it.each(['/crash', '/sql'])('of an unexpected error, at %s, shows nothing but the request id', async (path) => {
    const { response, id, logged } = await ask(path)
    expect(response.status).toBe(500)
    const text = await response.text()
    const detail = `Something went wrong on our side. Request id: ${id}`
    expect(Problem.parse(JSON.parse(text))).toMatchObject({ detail, message: detail, instance: path })
    expect(text + JSON.stringify([...response.headers])).not.toMatch(new RegExp(`${SECRET}|TypeError|SELECT|nowhere|at .*\\.ts|42P01`))
    const [line] = logged()
    expect(line).toMatchObject({ level: 'error', fields: { status: 500 } })
    expect(line?.fields.error_stack ?? line?.fields.cause).toBeTruthy()
  })

  it('has the path as it was sent', async () => {
    expect(await answer((await ask('/gr%C3%BC%C3%9Fe//x')).response, Problem)).toMatchObject({
      status: 404,
      instance: '/gr%C3%BC%C3%9Fe//x',
    })
  })
})

describe('methods', () => {
  it('that an address does not know are refused, with those it knows', async () => {
    for (const method of ['DELETE', 'PATCH', 'GET', 'PROPFIND']) {
      const { response } = await ask('/echo', { method })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, PUT, OPTIONS'])
    }
    const { response } = await ask('/health/live', { method: 'POST' })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  it('include HEAD wherever there is GET, and OPTIONS', async () => {
    const head = (await ask('/health/ready', { method: 'HEAD' })).response
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect((await ask('/echo', { method: 'HEAD' })).response.status).toBe(405)
    const options = (await ask('/echo', { method: 'OPTIONS' })).response
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, PUT, OPTIONS'])
    expect((await ask('/nothing', { method: 'OPTIONS' })).response.status).toBe(404)
  })

  it('do not matter where there is nothing; a slash too many makes another address', async () => {
    for (const path of ['/', '/nothing', '/echo/', '//echo', '/ECHO', '/health/live/'])
      for (const method of ['GET', 'POST', 'DELETE']) expect((await ask(path, { method })).response.status).toBe(404)
  })
})

describe('browsers', () => {
  const ORIGIN = 'https://app.example.com'
  const withOrigins = (...corsOrigins: string[]) => createApp({ name: 'cors' }, { ...deps, corsOrigins }).put('/x', (c) => c.json({}))
  const allowed = async (origins: string[], origin: string) =>
    (await withOrigins(...origins).request('/health/live', { headers: { origin } })).headers.get('access-control-allow-origin')

  it('may call from exact origins, from any, or from this machine, as configured', async () => {
    expect(await allowed([ORIGIN], ORIGIN)).toBe(ORIGIN)
    for (const origin of [
      `${ORIGIN}:8443`,
      'http://app.example.com',
      `${ORIGIN}.evil.example`,
      'https://evil.example',
      'null',
      `${ORIGIN}/`,
    ])
      expect(await allowed([ORIGIN], origin)).toBeNull()
    expect(await allowed([], ORIGIN)).toBeNull()
    expect(await allowed(['*'], 'https://any.example')).toBe('*')
    for (const origin of ['http://localhost:5173', 'https://localhost', 'http://127.0.0.1:3000', 'http://[::1]:8080'])
      expect(await allowed(['loopback'], origin)).toBe(origin)
    for (const origin of ['http://localhost.evil.example', 'http://127.0.0.1.evil.example', 'http://localhost:1@evil.example', 'null'])
      expect(await allowed(['loopback'], origin)).toBeNull()
  })

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('may ask before they send %s', async (method) => {
    const preflight = {
      method: 'OPTIONS',
      headers: { 'access-control-request-method': method, 'access-control-request-headers': 'authorization,content-type' },
    }
    const ask = (origin: string) => withOrigins(ORIGIN).request('/x', { ...preflight, headers: { ...preflight.headers, origin } })
    const { status, headers } = await ask(ORIGIN)
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(headers.get('access-control-allow-credentials')).toBe('true')
    expect(headers.get('access-control-allow-methods')?.split(', ')).toContain(method)
    expect(headers.get('access-control-allow-headers')).toBe('authorization,content-type')
    expect(headers.get('access-control-max-age')).toBe('600')
    expect(headers.get('vary')).toBe('Origin, Access-Control-Request-Headers')
    const refused = await ask('https://evil.example')
    expect([...refused.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    expect(refused.headers.get('vary')).toBe('Origin')
  })

  it('see the headers they need, on good answers and on problems', async () => {
    for (const path of ['/health/live', '/fails/throttled', '/crash', '/nothing']) {
      const { headers } = (await ask(path, { headers: { origin: ORIGIN } })).response
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
      expect(headers.get('access-control-expose-headers')).toBe('Link, Location, Retry-After, WWW-Authenticate, X-Request-Id')
      expect(headers.get('vary')).toBe('Origin')
    }
  })

  it('with `*` get no credentials and no Vary', async () => {
    const { headers } = await withOrigins('*').request('/health/live', { headers: { origin: ORIGIN } })
    expect([headers.get('access-control-allow-credentials'), headers.get('vary')]).toEqual([null, null])
  })

  it('get headers against caching, framing and sniffing', async () => {
    for (const path of ['/health/live', '/crash', '/nothing', '/raw']) {
      const { headers } = (await ask(path)).response
      expect(Object.fromEntries(headers)).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      })
    }
    expect((await ask('/own')).response.headers.get('cache-control')).toBe('max-age=5')
  })
})

describe('Strict-Transport-Security', () => {
  const at = (publicUrl: string | undefined) => {
    const app = createApp({ name: 'hsts' }, { ...deps, publicUrl }).get('/crash', () => {
      throw new TypeError('a bug')
    })
    return (path: string) => Promise.resolve(app.request(path)).then(({ headers }) => headers.get('strict-transport-security'))
  }

  it('is in every answer where the public address is https', async () => {
    const of = at('https://todo.example.com')
    for (const path of ['/health/live', '/crash', '/nothing']) expect(await of(path)).toBe('max-age=31536000')
  })

  it.each([undefined, 'http://todo.example.com', 'https://localhost:8443'])(
    'is in no answer where the public address is %s',
    async (publicUrl) => {
      const of = at(publicUrl)
      for (const path of ['/health/live', '/crash', '/nothing']) expect(await of(path)).toBeNull()
    },
  )

  it('follows PUBLIC_URL', async () => {
    const { deps: https } = testDeps({ PUBLIC_URL: 'https://todo.example.com' })
    const response = await createApp({ name: 'hsts' }, https).request('/health/live')
    expect(response.headers.get('strict-transport-security')).toBe('max-age=31536000')
    await https.db.close()
  })
})

describe('a request', () => {
  it('keeps a sound id and gets one instead of a hostile one', async () => {
    for (const id of ['a', 'trace:1.2-3_4', 'x'.repeat(128)])
      expect((await app.request('/health/live', { headers: { 'x-request-id': id } })).headers.get('x-request-id')).toBe(id)
    for (const id of ['', 'a b', 'x'.repeat(129), '"><script>', 'a,b', 'é', '{"level":"error"}'])
      expect((await app.request('/health/live', { headers: { 'x-request-id': id } })).headers.get('x-request-id')).toMatch(
        /^[0-9a-f-]{36}$/,
      )
  })

  it('continues the trace it comes with, and begins one otherwise', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const traced = async (traceparent: string) => (await ask('/own', { headers: { traceparent } })).logged()[0]?.fields
    const continued = await traced(`00-${traceId}-00f067aa0ba902b7-01`)
    expect(continued).toMatchObject({ trace_id: traceId, span_id: expect.stringMatching(/^[0-9a-f]{16}$/) })
    expect(continued?.span_id).not.toBe('00f067aa0ba902b7')
    for (const bad of [
      '',
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `00-${traceId}-0000000000000000-01`,
      `ff-${traceId}-00f067aa0ba902b7-01`,
      traceId,
    ]) {
      const begun = await traced(bad)
      expect(begun?.trace_id).toMatch(/^[0-9a-f]{32}$/)
      expect(begun?.trace_id).not.toBe(traceId)
    }
  })

  it('logs one line with what an operator needs and nothing of what people wrote', async () => {
    const token = `Bearer ${SECRET}.${SECRET}.${SECRET}`
    const content = JSON.stringify({ password: SECRET, [SECRET]: SECRET })
    const headers = {
      authorization: token,
      cookie: SECRET,
      referer: `https://x.example/${SECRET}`,
      'user-agent': SECRET,
      'content-type': 'application/json',
    }
    for (const [path, init] of [
      [`/echo?token=${SECRET}`, { method: 'POST', body: content, headers }],
      [`/fails/not_found?q=${SECRET}`, { headers }],
      [`/${SECRET}`, { headers }],
      [`/sql?${SECRET}`, { headers }],
    ] as const) {
      const { logged, id } = await ask(path, init)
      expect(logged()).toHaveLength(1)
      expect(JSON.stringify(logged())).not.toContain(SECRET)
      expect(logged()[0]).toMatchObject({
        message: 'request',
        fields: {
          function: 'tried',
          request_id: id,
          trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
          span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
          method: expect.stringMatching(/^[A-Z]+$/),
          route: expect.stringMatching(/^\//),
          status: expect.any(Number),
          ms: expect.any(Number),
        },
      })
    }
  })

  it('to a healthy check writes no log line', async () => {
    expect((await ask('/health/live')).logged()).toEqual([])
    expect((await ask('/health/live', { method: 'DELETE' })).logged()).toHaveLength(1)
  })
})
