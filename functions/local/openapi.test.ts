// The API description and the apps say the same: no route without an operation, no example that its own schema refuses, no answer that is
// not described.
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { METHOD_NAME_ALL } from 'hono/router'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createApp } from '../../shared/http/app.ts'
import { openApi } from '../../shared/openapi/openapi.ts'
import { serves } from '../../shared/openapi/route.ts'
import { newUser, testDeps } from '../../shared/testing/context.ts'
import { localApp } from './main.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())
const { app, functions } = localApp(world.env, world.deps)

const Media = z.looseObject({ schema: z.looseObject({}), example: z.unknown().optional() })
const Answer = z.looseObject({
  $ref: z.string().optional(),
  headers: z.record(z.string(), z.unknown()).optional(),
  content: z.record(z.string(), Media).optional(),
})
const Operation = z.looseObject({
  operationId: z.string(),
  requestBody: z.looseObject({ content: z.record(z.string(), Media) }).optional(),
  responses: z.record(z.string(), Answer),
})
const Parameter = z.looseObject({ name: z.string(), example: z.unknown().optional(), schema: z.looseObject({}) })
const Document = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.looseObject({
    responses: z.record(z.string(), Answer),
    parameters: z.record(z.string(), Parameter),
    schemas: z.record(z.string(), z.looseObject({ examples: z.array(z.unknown()).optional() })),
  }),
})
const text = await (await app.request('/openapi.json')).text()
const document = Document.parse(JSON.parse(text))
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation })),
)

const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true })).addSchema(JSON.parse(text), 'api')
/** What is wrong with a value; nothing when its schema, which may refer to the document's components, takes it. */
function faults(schema: object, value: unknown): unknown[] {
  const local = JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/'))
  const validate = ajv.compile(local)
  return validate(value) ? [] : (validate.errors ?? ['refused'])
}
const resolve = (answer: z.output<typeof Answer> | undefined) =>
  answer?.$ref ? document.components.responses[answer.$ref.split('/').at(-1) ?? ''] : answer

describe('the API description', () => {
  it('has an operation for every route of every function', () => {
    const described = new Set(operations.map(({ method, path }) => `${method} ${path}`))
    const routes = functions.flatMap((each) => each.routes).filter(({ method }) => method !== METHOD_NAME_ALL)
    expect(routes.length).toBeGreaterThan(10)
    for (const { method, path } of routes) expect(described).toContain(`${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  })

  it('leaves out a route that serves no operation, so that the test above would find it', () => {
    const careless = createApp({ name: 'careless' }, world.deps).get('/api/v1/forgotten', (c) => c.json({}))
    expect(Document.parse(openApi([careless])).paths).not.toHaveProperty(['/api/v1/forgotten'])
  })

  it('refuses two addresses with an operation of the same name', () => {
    const twice = createApp({ name: 'twice' }, world.deps)
      .get('/api/v1/a', serves({ name: 'same', summary: '', output: z.object({}) }), (c) => c.json({}))
      .get('/api/v1/b', serves({ name: 'same', summary: '', output: z.object({}) }), (c) => c.json({}))
    expect(() => openApi([twice])).toThrow('GET /api/v1/b: another route is called same')
  })

  it('names every operation once', () => {
    const ids = operations.map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('is the same every time, and covers what each function says of itself', async () => {
    expect(await (await localApp(world.env, world.deps).app.request('/openapi.json')).text()).toBe(text)
    for (const each of functions) {
      const own = Document.parse(openApi([each]))
      for (const [path, item] of Object.entries(own.paths)) expect(document.paths[path]).toEqual(item)
    }
  })

  it('has examples that their own schemas take', () => {
    const media = [
      ...operations.flatMap(({ requestBody, responses }) => [requestBody, ...Object.values(responses)]),
      ...Object.values(document.components.responses),
    ].flatMap((each) => Object.values(each?.content ?? {}))
    const withExample = media.filter(({ example }) => example !== undefined)
    expect(withExample.length).toBeGreaterThan(25)
    for (const { schema, example } of withExample) expect(faults(schema, example)).toEqual([])
    for (const schema of Object.values(document.components.schemas))
      for (const example of schema.examples ?? []) expect(faults(schema, example)).toEqual([])
    for (const { schema, example } of Object.values(document.components.parameters)) expect(faults(schema, example)).toEqual([])
    for (const { operationId, requestBody } of operations)
      for (const { example } of Object.values(requestBody?.content ?? {})) expect(example, operationId).toBeDefined()
  })

  it('has the page size as an integer with its bounds and default', () => {
    expect(document.paths['/api/v1/{user_id}/todos']?.get?.parameters).toContainEqual(
      expect.objectContaining({ name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 500, default: 500 } }),
    )
  })
})

describe('every answer', () => {
  const covered = new Set<string>()
  /** Sends a request and holds its answer against the description. */
  async function ask(method: string, path: string, init: RequestInit & { user?: string; todo?: string; conversation?: string } = {}) {
    const address = path
      .replace('{user_id}', init.user ?? '')
      .replace('{todo_id}', init.todo ?? '')
      .replace('{conversation_id}', init.conversation ?? '')
    const response = await app.request(address, { method, ...init })
    const operation = operations.find((each) => each.method === method && each.path === path.split('?')[0])
    const answer = resolve(operation?.responses[response.status])
    expect(answer, `${method} ${path} answers ${response.status}, which is not described`).toBeDefined()
    const type = response.headers.get('content-type') ?? ''
    const media = answer?.content?.[type]
    expect(media, `${method} ${path} answers ${response.status} as ${type}, which is not described`).toBeDefined()
    const body: unknown = await response.json()
    if (media) expect(faults(media.schema, body), `${method} ${path} ${response.status}`).toEqual([])
    for (const name of Object.keys(answer?.headers ?? {}))
      if (name !== 'Link') expect(response.headers.get(name), `${name} of ${method} ${path} ${response.status}`).not.toBeNull()
    covered.add(`${method} ${path.split('?')[0]}`)
    return { status: response.status, body }
  }
  const json = (body: unknown, headers: Record<string, string> = {}) => ({
    body: JSON.stringify(body),
    headers: { ...headers, 'content-type': 'application/json' },
  })

  it('is as described', async () => {
    const todos = '/api/v1/{user_id}/todos'
    const todo = `${todos}/{todo_id}`
    const { id: user, headers } = await newUser(world)
    const other = await newUser(world)
    for (const path of ['/health/live', '/health/ready', '/openapi.json']) await ask('GET', path)
    const account = { email: `${user}@example.org`, username: user, password: 'correct horse battery' }
    const statuses = [
      await ask('POST', '/api/v1/users/register', json(account)),
      await ask('POST', '/api/v1/users/register', json(account)),
      await ask('POST', '/api/v1/users/register', json({ email: 1, username: '', extra: true })),
      await ask('POST', '/api/v1/users/login', json({ email: account.email, password: account.password })),
      await ask('POST', '/api/v1/users/login', json({ email: account.email, password: 'wrong' })),
      await ask('POST', '/api/v1/users/login', { body: '{', headers: { 'content-type': 'application/json' } }),
      await ask('GET', '/api/v1/validate-token', { headers }),
      await ask('GET', '/api/v1/validate-token'),
      await ask('GET', '/api/v1/me', { headers }),
      await ask('GET', '/api/v1/me', { headers: { authorization: 'Bearer nonsense' } }),
      await ask('GET', `${todos}?limit=0`, { user, headers }),
      await ask('GET', todos, { user: other.id, headers }),
      await ask('POST', todos, { user, body: '{}', headers }),
      await ask('POST', todos, { user, ...json({ title: 'x'.repeat(200_000) }, headers) }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([201, 409, 422, 200, 401, 400, 200, 401, 200, 401, 422, 403, 415, 413])

    const created = await ask('POST', todos, { user, ...json({ title: 'Buy milk', due_date: '2027-01-15' }, headers) })
    expect(created.status).toBe(201)
    const { id } = z.looseObject({ id: z.string() }).parse(created.body)
    expect((await ask('GET', todos, { user, headers })).status).toBe(200)
    for (const [method, path, init] of [
      ['GET', todo, { headers }],
      ['PUT', todo, json({ description: null }, headers)],
      ['PATCH', todo, json({ tags: ['a'] }, headers)],
      ['PATCH', `${todo}/complete`, { headers }],
      ['DELETE', todo, { headers }],
    ] as const) {
      expect((await ask(method, path, { user, todo: 'no-id', ...init })).status).toBe(422)
      expect((await ask(method, path, { user, todo: id, ...init })).status).toBe(200)
      expect((await ask(method, path, { user, todo: user, ...init })).status).toBe(404)
    }

    const said = await ask('POST', '/api/v1/chat', json({ message: 'show my tasks' }, headers))
    expect(said.status).toBe(200)
    expect((await ask('POST', '/api/v1/chat', json({}, headers))).status).toBe(422)
    const { conversation_id: conversation } = z.looseObject({ conversation_id: z.string() }).parse(said.body)
    expect((await ask('GET', '/api/v1/conversations', { headers })).status).toBe(200)
    for (const method of ['GET', 'DELETE']) {
      const address = '/api/v1/conversations/{conversation_id}'
      expect((await ask(method, address, { conversation, headers })).status).toBe(200)
      expect((await ask(method, address, { conversation: id, headers })).status).toBe(404)
    }
    const mcp = json({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { ...headers, accept: 'application/json, text/event-stream' })
    expect((await ask('POST', '/api/v1/mcp', mcp)).status).toBe(200)
    expect((await ask('POST', '/api/v1/mcp', { ...mcp, body: '{' })).status).toBe(400)
    expect((await ask('POST', '/api/v1/mcp', { ...mcp, headers: { ...mcp.headers, 'mcp-protocol-version': '1' } })).status).toBe(400)
    expect((await ask('POST', '/api/v1/mcp', { ...mcp, headers: { ...mcp.headers, accept: 'text/html' } })).status).toBe(406)
    expect((await ask('POST', '/api/v1/mcp', { ...mcp, headers: { ...mcp.headers, 'content-type': 'text/plain' } })).status).toBe(415)
    expect((await ask('POST', '/api/v1/mcp', json({}))).status).toBe(401)
    expect((await ask('GET', '/api/v1/mcp')).status).toBe(405)
    expect((await ask('POST', '/api/v1/mcp/ticket', { headers })).status).toBe(201)
    expect((await ask('GET', '/.well-known/oauth-protected-resource/api/v1/mcp')).status).toBe(404)
    const event = { specversion: '1.0', id: '1', source: '/ticks', type: 'dev.knative.sources.ping' }
    const structured = (body: unknown) => ({ body: JSON.stringify(body), headers: { 'content-type': 'application/cloudevents+json' } })
    expect((await ask('POST', '/', structured(event))).status).toBe(200)
    expect((await ask('POST', '/', structured({ ...event, type: 'todo.created' }))).status).toBe(422)
    expect((await ask('POST', '/', { ...structured(event), body: '{' })).status).toBe(400)
    expect((await ask('POST', '/', { headers: { 'content-type': 'application/cloudevents-batch+json' } })).status).toBe(415)
    expect((await ask('POST', '/', structured({ ...event, data: 'x'.repeat(70_000) }))).status).toBe(413)
    expect([...covered].sort()).toEqual(operations.map(({ method, path }) => `${method} ${path}`).sort())
  })
})
