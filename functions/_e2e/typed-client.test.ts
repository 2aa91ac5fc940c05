// The typed client that a TypeScript frontend gets from the apps' types: `hc` from Hono, against real servers.
import { hc } from 'hono/client'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import type { Account, Profile, Session, TokenStatus } from '../../shared/accounts/users.ts'
import { testEnvironment } from '../../shared/testing/context.ts'
import { type FunctionProcess, startFunction } from '../../shared/testing/process.ts'
import type { DeletedTodo, Todo, TodoPage } from '../../shared/todos/schema.ts'
import type { AuthApp } from '../auth/app.ts'
import type { TodosApp } from '../todos/app.ts'
import type { UsersApp } from '../users/app.ts'

let servers: { [Name in 'auth' | 'users' | 'todos']: FunctionProcess }
beforeAll(async () => {
  const [auth, users, todos] = await Promise.all(['auth', 'users', 'todos'].map((name) => startFunction(name, testEnvironment())))
  if (auth && users && todos) servers = { auth, users, todos }
})
afterAll(() => Promise.all(Object.values(servers).map((server) => server.stop())))

describe('the typed client', () => {
  it('the typed client signs up, signs in and works with todos, with the types of the API', async () => {
    const auth = hc<AuthApp>(servers.auth.url)
    const account = { email: `${crypto.randomUUID()}@example.com`, username: crypto.randomUUID(), password: 'correct horse battery' }
    const registered = await auth.api.v1.users.register.$post({ json: account })
    expect(registered.status).toBe(201)
    const me = await registered.json()
    expectTypeOf(me).toEqualTypeOf<z.output<typeof Account>>()

    const session = await (await auth.api.v1.users.login.$post({ json: { email: account.email, password: account.password } })).json()
    expectTypeOf(session).toEqualTypeOf<z.output<typeof Session>>()
    const headers = { authorization: `Bearer ${session.access_token}` }
    const status = await (await auth.api.v1['validate-token'].$get({}, { headers })).json()
    expectTypeOf(status).toEqualTypeOf<z.output<typeof TokenStatus>>()
    expect(status.user_id).toBe(me.id)
    const profile = await (await hc<UsersApp>(servers.users.url).api.v1.me.$get({}, { headers })).json()
    expectTypeOf(profile).toEqualTypeOf<z.output<typeof Profile>>()
    expect(profile.user_id).toBe(me.id)

    const todos = hc<TodosApp>(servers.todos.url, { headers }).api.v1[':user_id'].todos
    const param = { user_id: me.id }
    const created = await todos.$post({ param, json: { title: 'Buy milk', priority: 'high' } })
    expectTypeOf(created.status).toEqualTypeOf<201>()
    const todo = await created.json()
    expectTypeOf(todo).toEqualTypeOf<Todo>()

    const page = await (await todos.$get({ param, query: { limit: 1, sort: '-due' } })).json()
    expectTypeOf(page).toEqualTypeOf<z.output<typeof TodoPage>>()
    expect(page.todos).toEqual([todo])

    const one = todos[':todo_id']
    const address = { ...param, todo_id: todo.id }
    const put = await (await one.$put({ param: address, json: { description: 'oat' } })).json()
    const patched = await (await one.$patch({ param: address, json: { tags: ['shop'] } })).json()
    expectTypeOf(put).toEqualTypeOf<Todo>()
    expectTypeOf(patched).toEqualTypeOf<Todo>()
    expect(patched).toMatchObject({ title: 'Buy milk', description: 'oat', tags: ['shop'] })
    const completed = await (await one.complete.$patch({ param: address, json: {} })).json()
    expect(completed.completed).toBe(true)
    expect(await (await one.$get({ param: address })).json()).toEqual(completed)
    const deleted = await (await one.$delete({ param: address })).json()
    expectTypeOf(deleted).toEqualTypeOf<z.output<typeof DeletedTodo>>()
    expect(deleted).toEqual({ success: true, message: 'Todo deleted successfully' })
  })

  it('the typed client rejects input that the API would refuse at compile time', () => {
    const todos = hc<TodosApp>('http://localhost').api.v1[':user_id'].todos
    type Sent = Parameters<typeof todos.$post>[0]
    expectTypeOf<{ param: { user_id: string }; json: { title: string } }>().toExtend<Sent>()
    expectTypeOf<{ param: { user_id: string }; json: { title: number } }>().not.toExtend<Sent>()
    expectTypeOf<{ param: { user_id: string }; json: { title: string; priority: 'huge' } }>().not.toExtend<Sent>()
    expectTypeOf<{ json: { title: string } }>().not.toExtend<Sent>()
    type Asked = NonNullable<Parameters<typeof todos.$get>[0]>['query']
    expectTypeOf<{ sort: 'nope' }>().not.toExtend<Asked>()
  })
})
