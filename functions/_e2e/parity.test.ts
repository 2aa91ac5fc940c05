// Three faces, one row: a todo is created over REST, completed over MCP and listed in chat.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, expect, it } from 'vitest'
import { z } from 'zod'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

const Reply = z.looseObject({ response: z.string(), tool_calls: z.array(z.looseObject({ name: z.string(), result: z.unknown() })) })

it('REST, MCP and chat work on the same row', async () => {
  const [todos, mcp, chat] = await Promise.all(['todos', 'mcp', 'chat'].map((name) => startFunction(name, testEnvironment())))
  const user = await newUser(world)
  const json = { ...user.headers, 'content-type': 'application/json' }

  const base = `${todos?.url}/api/v1/${user.id}/todos`
  const created = await answer(
    await fetch(base, { method: 'POST', headers: json, body: '{"title":"Water the ferns","tags":["home"]}' }),
    Todo,
  )

  const client = new Client({ name: 'parity', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${mcp?.url}/api/v1/mcp`), { requestInit: { headers: user.headers } }))
  const { structuredContent } = await client.callTool({ name: 'complete_task', arguments: { todo_id: created.id, completed: true } })
  await client.close()
  const completed = Todo.parse(structuredContent)
  expect(completed).toEqual({ ...created, completed: true, completed_at: expect.any(String), updated_at: expect.any(String) })

  const reply = await answer(
    await fetch(`${chat?.url}/api/v1/chat`, { method: 'POST', headers: json, body: '{"message":"show my completed tasks"}' }),
    Reply,
  )
  expect(reply.response).toContain('Water the ferns')
  const [{ result }] = z.tuple([z.looseObject({ name: z.literal('list_tasks'), result: TodoPage })]).parse(reply.tool_calls)
  expect(result.todos).toEqual([completed])
  expect(await answer(await fetch(`${base}/${created.id}`, { headers: user.headers }), Todo)).toEqual(completed)
  await Promise.all([todos, mcp, chat].map((running) => running?.stop()))
})
