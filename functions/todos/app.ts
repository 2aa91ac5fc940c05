// The HTTP routes of todos: each validates, calls its operation and answers.
import type { Context } from 'hono'
import { createApp } from '../../shared/http/app.ts'
import { owner } from '../../shared/http/authenticate.ts'
import type { AppDeps } from '../../shared/http/types.ts'
import { body, path, query } from '../../shared/http/validate.ts'
import type { VerifyToken } from '../../shared/identity/issuers.ts'
import { serves } from '../../shared/openapi/route.ts'
import { CompleteTodo, CreateTodo, ListTodos, TodoRef, UpdateTodo } from '../../shared/todos/schema.ts'
import { completeTodo, createTodo, deleteTodo, getTodo, listTodos, updateTodo } from '../../shared/todos/todos.ts'

export type TodosDeps = AppDeps & { verifyToken: VerifyToken }
export type TodosApp = ReturnType<typeof todosApp>

const todos = '/api/v1/:user_id/todos'
const todo = `${todos}/:todo_id` as const
/** The bodies: without the id, which is in the path. */
const Changes = UpdateTodo.omit({ todo_id: true }).meta(UpdateTodo.meta() ?? {})
const Completion = CompleteTodo.omit({ todo_id: true }).meta(CompleteTodo.meta() ?? {})

export function todosApp(deps: TodosDeps) {
  const own = owner(deps)
  return createApp({ name: 'todos', about: "The caller's todos." }, deps)
    .get(todos, serves(listTodos, { headers: { Link: 'The next page, `rel="next"` (RFC 8288)' } }), own, query(ListTodos), async (c) => {
      const page = await listTodos(c.var.ctx, c.req.valid('query'))
      if (page.next_cursor !== null) {
        const next = new URLSearchParams({ ...c.req.query(), cursor: page.next_cursor })
        c.header('link', `<${address(c)}?${next}>; rel="next"`)
      }
      return c.json(page)
    })
    .post(todos, serves(createTodo, { status: 201, headers: { Location: "The new todo's address" } }), own, body(CreateTodo), async (c) => {
      const created = await createTodo(c.var.ctx, c.req.valid('json'))
      return c.json(created, 201, { location: `${address(c)}/${created.id}` })
    })
    .get(todo, serves(getTodo), own, path(TodoRef), async (c) => c.json(await getTodo(c.var.ctx, c.req.valid('param'))))
    .on(['PUT', 'PATCH'], todo, serves(updateTodo), own, path(TodoRef), body(Changes), async (c) =>
      c.json(await updateTodo(c.var.ctx, { ...c.req.valid('param'), ...c.req.valid('json') })),
    )
    .delete(todo, serves(deleteTodo), own, path(TodoRef), async (c) => c.json(await deleteTodo(c.var.ctx, c.req.valid('param'))))
    .patch(`${todo}/complete`, serves(completeTodo), own, path(TodoRef), body(Completion, { optional: true }), async (c) =>
      c.json(await completeTodo(c.var.ctx, { ...c.req.valid('param'), ...c.req.valid('json') })),
    )
}

/** The path as sent: `c.req.path` is decoded, and a foreign user's id may hold characters that a header cannot. */
const address = (c: Context) => new URL(c.req.url).pathname
