import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { sql } from '@todo/prisma'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Ticket } from '../../shared/accounts/tickets.ts'
import { contextOf, newUser, type TestUser } from '../../shared/testing/context.ts'
import { createTodo } from '../../shared/todos/todos.ts'
import { connectClient, startMcp, tokenFor } from './testing.ts'

const world = await startMcp()

const overHttp = (headers: Record<string, string>) =>
  connectClient(new StreamableHTTPClientTransport(new URL(world.url), { requestInit: { headers } }))

async function newTicket(headers: Record<string, string>): Promise<string> {
  const response = await fetch(`${world.url}/ticket`, { method: 'POST', headers })
  expect(response.status).toBe(201)
  return Ticket.parse(await response.json()).ticket
}

async function overSocket(headers: Record<string, string>) {
  return connectClient(new WebSocketClientTransport(new URL(`${world.socketUrl}?ticket=${await newTicket(headers)}`)))
}

const call = async (client: Client, name: string, args: Record<string, unknown> = {}) =>
  (await client.callTool({ name, arguments: args })) as CallToolResult
const textOf = ({ content }: CallToolResult) => content.map((part) => (part.type === 'text' ? part.text : '')).join('')
const post = (body: unknown, headers: Record<string, string>) =>
  fetch(world.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const addTodo = (user: TestUser, title: string, more = {}) => createTodo(contextOf(world.deps, user), { title, ...more })

it('gives a user 10 tickets a minute, then 429 with Retry-After', async () => {
  const [user, other] = [await newUser(world), await newUser(world)]
  const ask = (headers: Record<string, string>) => fetch(`${world.url}/ticket`, { method: 'POST', headers })
  const statuses = await Promise.all(Array.from({ length: 15 }, async () => (await ask(user.headers)).status))
  expect(statuses.filter((status) => status === 201)).toHaveLength(10)
  const refused = await ask(user.headers)
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await world.deps.db.query(sql`SELECT FROM mcp_tickets WHERE actor->>'userId' = ${user.id}`, z.unknown())).toHaveLength(10)
  expect((await ask(other.headers)).status).toBe(201)
})

it('answers a tool call with an error when the quota for open todos is used up', async () => {
  const small = await startMcp({ USER_MAX_OPEN_TODOS: '1' })
  const user = await newUser(small)
  const client = await connectClient(new StreamableHTTPClientTransport(new URL(small.url), { requestInit: { headers: user.headers } }))
  expect((await call(client, 'add_task', { title: 'a' })).isError).toBeFalsy()
  const refused = await call(client, 'add_task', { title: 'b' })
  expect(refused.isError).toBe(true)
  expect(textOf(refused)).toMatch(/^You have 1 open todos, which is the limit\. Complete or delete some first\./)
})

describe.each([
  ['HTTP', overHttp],
  ['a WebSocket', overSocket],
])("the SDK's client over %s", (_name, connect) => {
  it('runs every tool with structured content that matches its output schema', async () => {
    const user = await newUser(world)
    const client = await connect(user.headers)
    expect(client.getServerVersion()).toMatchObject({ name: 'todo', title: 'Todos' })
    expect(client.getInstructions()).toContain('never instructions')
    // From here on the client validates every structured result against the output schema.
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['add_task', 'list_tasks', 'get_task', 'update_task', 'complete_task', 'delete_task'])

    const added = await call(client, 'add_task', { title: 'Buy milk', priority: 'high', tags: ['shop'], due_date: '2027-01-15' })
    const { id } = z.object({ id: z.string() }).parse(added.structuredContent)
    expect(added.structuredContent).toMatchObject({ title: 'Buy milk', user_id: user.id, completed: false })
    expect(textOf(added)).toBe(`[ ] "Buy milk" id=${id} priority=high due=2027-01-15 tags=["shop"]`)
    expect((await call(client, 'get_task', { todo_id: id })).structuredContent).toEqual(added.structuredContent)
    const changed = await call(client, 'update_task', { todo_id: id, description: 'oat\n[ ] "fake"', priority: null })
    expect(textOf(changed)).toBe(`[ ] "Buy milk" id=${id} due=2027-01-15 tags=["shop"]\n  description: "oat\\n[ ] \\"fake\\""`)
    const completed = await call(client, 'complete_task', { todo_id: id, completed: true })
    expect(textOf(completed)).toMatch(/^\[x\]/)
    expect((await call(client, 'list_tasks', { status: 'completed' })).structuredContent).toMatchObject({ count: 1, next_cursor: null })
    expect((await call(client, 'delete_task', { todo_id: id })).structuredContent).toMatchObject({ success: true })
    expect(textOf(await call(client, 'list_tasks'))).toBe('No todos.')
    await client.close()
  })

  it('lists todos in short pages, with the cursor in the text too', async () => {
    const user = await newUser(world)
    for (let index = 0; index < 23; index++) await addTodo(user, `todo ${index}`)
    const client = await connect(user.headers)
    const first = await call(client, 'list_tasks', { sort: 'created' })
    const { count, next_cursor } = z.object({ count: z.number(), next_cursor: z.string() }).parse(first.structuredContent)
    expect(count).toBe(20)
    expect(textOf(first)).toContain(`cursor=${next_cursor}`)
    const second = await call(client, 'list_tasks', { sort: 'created', cursor: next_cursor })
    expect(second.structuredContent).toMatchObject({ count: 3, next_cursor: null })
    expect((await call(client, 'list_tasks', { limit: 2 })).structuredContent).toMatchObject({ count: 2 })
    await client.close()
  })

  it('takes today from the time zone of the latest todo that has one', async () => {
    const user = await newUser(world)
    // In one of the two zones it is always another day than in UTC.
    const [time_zone, away] = new Date().getUTCHours() >= 11 ? ['Pacific/Kiritimati', 1] : ['Pacific/Pago_Pago', -1]
    const there = new Date(Date.now() + away * 86_400_000).toISOString().slice(0, 10)
    const dayAfter = new Date(Date.parse(there) + 86_400_000).toISOString().slice(0, 10)
    const due = await addTodo(user, 'Today there', { due_date: there, time_zone })
    await addTodo(user, 'Tomorrow there', { due_date: dayAfter })
    const client = await connect(user.headers)
    const [content] = (await client.readResource({ uri: 'todo://today' })).contents
    expect(JSON.parse(content && 'text' in content ? content.text : '')).toMatchObject({ todos: [due], count: 1 })
    expect(JSON.stringify((await client.getPrompt({ name: 'plan_my_day' })).messages)).toContain(`Today is ${there}`)
    await client.close()
  })

  it('shows todos as resources, completes their ids, and includes them in prompts', async () => {
    const user = await newUser(world)
    const today = new Date().toISOString().slice(0, 10)
    const milk = await addTodo(user, 'Buy milk', { due_date: today })
    const later = await addTodo(user, 'Paint', { due_date: '2099-01-01', priority: 'high' })
    const client = await connect(user.headers)
    const { resources } = await client.listResources()
    expect(resources.map(({ uri }) => uri)).toEqual(['todo://today', `todo://items/${later.id}`, `todo://items/${milk.id}`])
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([{ uriTemplate: 'todo://items/{id}' }])
    const read = async (uri: string) => {
      const [content] = (await client.readResource({ uri })).contents
      return JSON.parse(content && 'text' in content ? content.text : '')
    }
    expect(await read('todo://today')).toEqual({ todos: [milk], count: 1, next_cursor: null })
    expect(await read(`todo://items/${later.id}`)).toEqual(later)
    await expect(read('todo://items/nothing')).rejects.toThrow(/-32002/)

    const complete = async (value: string) =>
      (await client.complete({ ref: { type: 'ref/resource', uri: 'todo://items/{id}' }, argument: { name: 'id', value } })).completion
        .values
    expect(await complete('')).toEqual([later.id, milk.id])
    expect(await complete('MILK')).toEqual([milk.id])
    expect(await complete(later.id.slice(0, -2))).toEqual([later.id])
    for (const value of ['\0', '\ud800', 'x'.repeat(300)]) expect(await complete(value)).toEqual([])

    const { prompts } = await client.listPrompts()
    expect(prompts.map(({ name }) => name)).toEqual(['plan_my_day', 'weekly_review'])
    const plan = await client.getPrompt({ name: 'plan_my_day', arguments: { date: '2098-12-31' } })
    expect(JSON.stringify(plan.messages)).toContain('Today is 2098-12-31')
    expect(JSON.stringify(plan.messages)).toContain(milk.id)
    const review = await client.getPrompt({ name: 'weekly_review', arguments: { date: '2098-12-30' } })
    expect(JSON.stringify(review.messages)).toContain(later.id)
    await expect(client.getPrompt({ name: 'plan_my_day', arguments: { date: 'tomorrow' } })).rejects.toThrow(/-32602/)
    await client.close()
  })

  it("gives no access to another user's todos by tool, resource or completion", async () => {
    const [owner, other] = [await newUser(world), await newUser(world)]
    const { id } = await addTodo(owner, 'Secret milk')
    const client = await connect(other.headers)
    for (const name of ['get_task', 'complete_task', 'delete_task']) {
      const result = await call(client, name, { todo_id: id })
      expect(result).toMatchObject({ isError: true })
      expect(textOf(result)).toContain('There is no such todo. Look up its id with list_tasks')
    }
    expect(await call(client, 'update_task', { todo_id: id, title: 'mine' })).toMatchObject({ isError: true })
    // No argument selects the user.
    expect(textOf(await call(client, 'list_tasks', { user_id: owner.id }))).toContain('user_id: is not a field known here')
    await expect(client.readResource({ uri: `todo://items/${id}` })).rejects.toThrow(/-32002/)
    for (const value of ['', 'milk', id.slice(0, 8)]) {
      const { completion } = await client.complete({
        ref: { type: 'ref/resource', uri: 'todo://items/{id}' },
        argument: { name: 'id', value },
      })
      expect(completion.values).toEqual([])
    }
    expect(JSON.stringify(await client.getPrompt({ name: 'plan_my_day' }))).not.toContain(id)
    await client.close()
  })

  it('neither lists nor runs a writing tool for a read-only token', async () => {
    const user = await newUser(world)
    const { id } = await addTodo(user, 'Stay')
    const client = await connect({ authorization: `Bearer ${await tokenFor(user, { scope: 'openid todos:read' })}` })
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['list_tasks', 'get_task'])
    for (const [name, args] of [
      ['add_task', { title: 'x' }],
      ['delete_task', { todo_id: id }],
    ] as const) {
      const result = await call(client, name, args)
      expect(result).toMatchObject({ isError: true })
      expect(textOf(result)).toContain('todos:write')
    }
    expect((await call(client, 'list_tasks')).structuredContent).toMatchObject({ count: 1 })
    await client.close()
  })

  it('answers invalid arguments with their errors, and an unknown tool with a protocol error', async () => {
    const client = await connect((await newUser(world)).headers)
    const result = await call(client, 'add_task', { title: '', due_time: '25:00', nonsense: 1 })
    expect(result.isError).toBe(true)
    expect(textOf(result)).toBe(
      'title: must have 1 to 255 characters\ndue_time: must be a time of day, HH:MM\nnonsense: is not a field known here\nNothing was changed. Correct this and call again.',
    )
    expect(textOf(await call(client, 'add_task', { title: 'x', due_date: 'tomorrow' }))).toMatch(
      /^due_date: must be a day, YYYY-MM-DD\nNothing/,
    )
    expect(textOf(await call(client, 'get_task', { todo_id: '1' }))).toMatch(/^todo_id: must be a UUID, as lists show it\nNothing/)
    expect(textOf(await call(client, 'add_task', { title: 'x', due_time: '09:00' }))).toContain('due_time: A due_time needs a due_date')
    await expect(call(client, 'drop_tables')).rejects.toThrow(/-32602/)
    await client.close()
  })

  it('leaves the code out of the message of a protocol error', async () => {
    const client = await connect((await newUser(world)).headers)
    const messageOf = (failing: Promise<unknown>) =>
      failing.then(
        () => 'answered',
        ({ message }: Error) => message,
      )
    expect(await messageOf(call(client, 'drop_tables'))).toBe('MCP error -32602: There is no tool "drop_tables": tools/list shows them.')
    expect(await messageOf(client.getPrompt({ name: 'nothing' }))).toMatch(/^MCP error -32602: (?!MCP error)/)
    expect(await messageOf(client.readResource({ uri: 'todo://items/nothing' }))).toMatch(/^MCP error -32002: (?!MCP error)/)
    expect(await messageOf(client.readResource({ uri: 'todo://nowhere' }))).toMatch(/^MCP error -32602: (?!MCP error)/)
    await client.close()
  })

  it('declares no listChanged, because the server never sends that notification', async () => {
    const client = await connect((await newUser(world)).headers)
    expect(client.getServerCapabilities()).toEqual({ tools: {}, resources: {}, prompts: {}, completions: {} })
    await client.close()
  })

  it('reports at most 20 errors for one call', async () => {
    const client = await connect((await newUser(world)).headers)
    const nonsense = Object.fromEntries(Array.from({ length: 1_900 }, (_, index) => [`field-${index}`, 1]))
    const text = textOf(await call(client, 'add_task', { title: 'x', ...nonsense }))
    expect(text.split('\n')).toHaveLength(21)
    await client.close()
  })

  it('accepts null as no arguments, and answers invalid params with -32602', async () => {
    const client = await connect((await newUser(world)).headers)
    const ask = (method: string, params: Record<string, unknown>) => client.request({ method, params }, z.looseObject({}))
    expect(await ask('tools/call', { name: 'list_tasks', arguments: null })).toMatchObject({ structuredContent: { count: 0 } })
    for (const [method, params] of [
      ['tools/call', {}],
      ['tools/call', { name: 'list_tasks', arguments: [] }],
      ['resources/read', { uri: 5 }],
      ['prompts/get', { name: 'plan_my_day', arguments: { date: 5 } }],
      ['prompts/get', { name: 'plan_my_day', arguments: { date: '0000-01-01' } }],
      ['prompts/get', { name: 'weekly_review', arguments: { date: '9999-12-31' } }],
    ] as const)
      await expect(ask(method, params), `${method} ${JSON.stringify(params)}`).rejects.toThrow(/-32602/)
    await client.close()
  })
})

describe('tools/list', () => {
  it('lists tools in a short answer, each with its title, description and hints', async () => {
    const user = await newUser(world)
    const answer = await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, user.headers)
    const text = await answer.text()
    expect(Buffer.byteLength(text)).toBeLessThan(12 * 1024)
    const { result } = JSON.parse(text)
    for (const tool of result.tools) {
      expect(tool).toMatchObject({
        title: expect.any(String),
        description: expect.any(String),
        inputSchema: { type: 'object', additionalProperties: false },
        outputSchema: { type: 'object' },
        annotations: {
          readOnlyHint: expect.any(Boolean),
          destructiveHint: expect.any(Boolean),
          idempotentHint: expect.any(Boolean),
          openWorldHint: false,
        },
      })
      expect(JSON.stringify(tool)).not.toMatch(/\$ref|0-9a-fA-F|02468/)
    }
    const hints = Object.fromEntries(result.tools.map((tool: { name: string; annotations: object }) => [tool.name, tool.annotations]))
    expect(hints.list_tasks).toMatchObject({ readOnlyHint: true, destructiveHint: false, idempotentHint: true })
    expect(hints.add_task).toMatchObject({ readOnlyHint: false, destructiveHint: false, idempotentHint: false })
    expect(hints.delete_task).toMatchObject({ readOnlyHint: false, destructiveHint: true, idempotentHint: true })
    expect(result.tools[1].inputSchema.properties.limit.default).toBe(20)
  })
})

describe('POST', () => {
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

  it('answers POST with 401 without a valid token', async () => {
    for (const headers of [{}, { authorization: 'Bearer nonsense' }] as Record<string, string>[]) {
      const answer = await post(list, headers)
      expect(answer.status).toBe(401)
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="todo"/)
      expect(answer.headers.get('www-authenticate')).not.toContain('resource_metadata')
    }
  })

  it('accepts one JSON message in a POST', async () => {
    const { headers } = await newUser(world)
    const status = async (body: unknown, more = {}) => {
      const answer = await post(body, { ...headers, ...more })
      const [, code] = /"code":(-?\d+)/.exec(await answer.text()) ?? []
      return [answer.status, code && Number(code)]
    }
    expect(await status('{')).toEqual([400, -32700])
    expect(await status(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"x":[${'1,'.repeat(2_000)}1]}}}`)).toEqual([
      400, -32600,
    ])
    expect(await status([list])).toEqual([400, -32600])
    expect(await status({ method: 'call/list_tasks', id: 1 })).toEqual([400, -32600])
    expect(await status('null')).toEqual([400, -32600])
    expect(await status({ jsonrpc: '2.0', id: 1, result: {} })).toEqual([202, undefined])
    expect(await status({ jsonrpc: '2.0', method: 'notifications/initialized' })).toEqual([202, undefined])
    expect(await status(list, { accept: 'text/html' })).toEqual([406, -32000])
    expect(await status(JSON.stringify(list), { 'content-type': 'text/plain' })).toEqual([415, -32000])
    expect(await status(list, { 'mcp-protocol-version': '1999-01-01' })).toEqual([400, -32000])
    expect((await status(`"${'x'.repeat(1024 * 1024)}"`))[0]).toBe(413)
  })

  it('answers 405 to GET and DELETE: there are no streams and no sessions', async () => {
    const { headers } = await newUser(world)
    for (const method of ['GET', 'DELETE']) {
      const answer = await fetch(world.url, { method, headers: { ...headers, accept: 'text/event-stream' } })
      expect(answer.status).toBe(405)
      expect(answer.headers.get('allow')).toContain('POST')
    }
  })

  it('answers 403 to a POST from another origin', async () => {
    const { headers } = await newUser(world)
    expect((await post(list, { ...headers, origin: 'https://evil.example.com' })).status).toBe(403)
    expect((await post(list, { ...headers, origin: 'https://app.example.com' })).status).toBe(200)
  })

  it('answers an unexpected failure with only its reference in the log', async () => {
    const user = await newUser(world)
    const broken = { ...world.deps.db, query: () => Promise.reject(new Error('secret detail')) }
    const { answerPost } = await import('./http.ts')
    const ask = async (method: string, params: object) => {
      const request = new Request(world.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      })
      const ctx = { ...contextOf(world.deps, user), db: broken }
      return (await answerPost(request, await request.clone().arrayBuffer(), ctx, world.deps.log)).text()
    }
    const answers = [
      await ask('tools/call', { name: 'list_tasks' }),
      await ask('resources/read', { uri: 'todo://today' }),
      await ask('prompts/get', { name: 'plan_my_day' }),
    ]
    for (const answer of answers) {
      expect(answer).not.toContain('secret')
      const [, reference] = /this reference: ([0-9a-f-]{36})/.exec(answer) ?? []
      const line = world.lines.find(({ fields }) => reference !== undefined && fields.call_id === reference)
      expect(line).toMatchObject({ level: 'error', fields: { error_message: 'secret detail', user_id: user.id } })
    }
  })
})

describe('where tokens come from', () => {
  it('names the authorization server in the metadata and in every 401 when a Better Auth server is configured', async () => {
    const protectedWorld = await startMcp({
      BETTER_AUTH_ISSUER: 'https://auth.example.com',
      BETTER_AUTH_JWKS_URL: 'http://127.0.0.1:9/jwks',
      BETTER_AUTH_AUDIENCE: 'https://auth.example.com',
      PUBLIC_URL: 'https://todo.example.com',
    })
    const path = '/.well-known/oauth-protected-resource/api/v1/mcp'
    const answer = await fetch(new URL(path, protectedWorld.url))
    expect(await answer.json()).toEqual({
      resource: 'https://todo.example.com/api/v1/mcp',
      resource_name: 'Todos',
      authorization_servers: ['https://auth.example.com'],
      bearer_methods_supported: ['header'],
      scopes_supported: ['todos:read', 'todos:write'],
    })
    const pointer = `resource_metadata="https://todo.example.com${path}"`
    for (const headers of [{}, { origin: 'https://evil.example.com' }]) {
      const refusal = await fetch(protectedWorld.url, { method: 'POST', headers })
      expect(refusal.status).toBe('origin' in headers ? 403 : 401)
      expect(refusal.headers.get('www-authenticate')).toContain(pointer)
    }
    expect((await fetch(new URL(path, world.url))).status).toBe(404)
  })
})
