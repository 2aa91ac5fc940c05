// How many statements each operation sends, whichever face it comes through: the same for a user with 10 todos and for one with 10,000.
import { createDeps } from '../../shared/runtime/deps.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { PASSWORD, type User, type World } from '../_build/world.ts'
import { localApp } from '../local/main.ts'
import type { Row } from './report.ts'
import { statementsOf } from './statements.ts'

const FEW = 10
const MANY = 10_000

type Call = { what: string; method: string; path: string; body?: object; status?: number }

/** @throws Error when an operation sends more for many todos than for few, or answers anything but success */
export async function roundTrips(world: World): Promise<Row[]> {
  const env = readEnv(world.environment)
  const deps = createDeps(env, () => {})
  const { app } = localApp(env, deps)
  try {
    // The first attempt of a process also deletes expired counters, which is no part of any operation.
    await world.newUser().then(async (user) => {
      await send(app, user, login(user))
      await send(app, user, said('hello', 'hello'))
    })
    const [few, many] = [await countAll(world, app, FEW), await countAll(world, app, MANY)]
    const differing = [...few].filter(([what, statements]) => many.get(what) !== statements)
    if (differing.length > 0) {
      throw new Error(
        `round trips depend on data: ${differing.map(([what, sent]) => `${what} ${sent}, then ${many.get(what)}`).join('; ')}`,
      )
    }
    return [
      {
        what: `statements an operation, at ${FEW} and at ${MANY} todos alike`,
        figures: [...few].map(([what, statements]) => `${what} ${statements}`).join(', '),
        values: Object.fromEntries(few),
      },
    ]
  } finally {
    await deps.db.close()
  }
}

const login = ({ email }: User): Call => ({ what: 'login', method: 'POST', path: '/users/login', body: { email, password: PASSWORD } })

const said = (what: string, message: string): Call => ({ what: `chat ${what}`, method: 'POST', path: '/chat', body: { message } })

function calls(user: User, ids: readonly string[]): Call[] {
  const todos = `/${user.id}/todos`
  const [one = '', another = ''] = ids
  const name = crypto.randomUUID()
  const tool = (tool: string, given: object): Call => ({
    what: `mcp ${tool}`,
    method: 'POST',
    path: '/mcp',
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: given } },
  })
  return [
    {
      what: 'register',
      method: 'POST',
      path: '/users/register',
      body: { email: `${name}@example.com`, username: name, password: PASSWORD },
      status: 201,
    },
    login(user),
    { what: 'profile', method: 'GET', path: '/me' },
    { what: 'list', method: 'GET', path: todos },
    { what: 'search', method: 'GET', path: `${todos}?q=todo&status=pending&sort=due` },
    { what: 'get', method: 'GET', path: `${todos}/${one}` },
    { what: 'create', method: 'POST', path: todos, body: { title: 'Buy milk' }, status: 201 },
    { what: 'update', method: 'PATCH', path: `${todos}/${one}`, body: { title: 'Buy oat milk' } },
    { what: 'complete', method: 'PATCH', path: `${todos}/${one}/complete` },
    { what: 'delete', method: 'DELETE', path: `${todos}/${another}` },
    { what: 'conversations', method: 'GET', path: '/conversations' },
    said('add', 'add buy bread tomorrow'),
    said('list', 'what is on my list?'),
    said('complete', 'complete buy bread'),
    tool('list_tasks', {}),
    tool('add_task', { title: 'Buy milk' }),
    tool('complete_task', { todo_id: one }),
  ]
}

async function countAll(world: World, app: App, todos: number): Promise<Map<string, number>> {
  const user = await world.newUser()
  const ids = await world.addTodos(user, todos)
  const counts = new Map<string, number>()
  for (const call of calls(user, ids)) {
    const { statements } = await statementsOf(() => send(app, user, call))
    counts.set(call.what, statements.length)
  }
  return counts
}

type App = Pick<ReturnType<typeof localApp>['app'], 'request'>

async function send(app: App, user: User, { what, method, path, body, status = 200 }: Call): Promise<void> {
  const response = await app.request(`/api/v1${path}`, {
    method,
    headers: { authorization: user.authorization, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (response.status !== status) throw new Error(`${what} answers ${response.status}, not ${status}: ${text}`)
}
