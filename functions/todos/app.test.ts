// The HTTP contract of todos: status, headers, problems, other users' data. The operations have their own tests.
import { sql } from '@todo/prisma'
import { afterAll, describe, expect, it } from 'vitest'
import { Problem } from '../../shared/openapi/problems.ts'
import { answer, newUser, testDeps } from '../../shared/testing/context.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'
import { todosApp } from './app.ts'

const world = testDeps()
const app = todosApp(world.deps)
afterAll(() => world.deps.db.close())

const NEVER = '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10'
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

async function newClient() {
  const user = await newUser(world)
  const base = `/api/v1/${user.id}/todos`
  const send = (method: string, path = '', body?: unknown, headers: Record<string, string> = user.headers) =>
    app.request(path.startsWith('/api/') ? path : base + path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const create = async (fields: object = {}) => answer(await send('POST', '', { title: 'Buy milk', ...fields }), Todo)
  return { user, base, send, create }
}

/** Expects a problem (RFC 9457) with exactly these fields. */
async function problemOf(response: Response, status: number) {
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  const problem = await answer(response, Problem)
  expect(problem).toMatchObject({ status, message: problem.detail })
  return problem
}

const pointers = async (response: Response) => (await problemOf(response, 422)).errors?.map(({ pointer }) => pointer)
const nextOf = (response: Response) => /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]

describe('POST /{user_id}/todos', () => {
  it('answers 201 with the todo and its Location', async () => {
    const { base, send, user } = await newClient()
    const sent = { priority: 'high', tags: ['a', 'b'], due_date: '2027-01-15', due_time: '09:30', time_zone: 'Europe/Berlin' }
    const response = await send('POST', '', { title: '  Buy milk ', ...sent })
    expect(response.status).toBe(201)
    expect(response.headers.get('content-type')).toBe('application/json')
    const todo = await response.json()
    expect(todo).toEqual({
      id: expect.any(String),
      user_id: user.id,
      title: 'Buy milk',
      description: null,
      completed: false,
      completed_at: null,
      ...sent,
      created_at: expect.stringMatching(INSTANT),
      updated_at: expect.stringMatching(INSTANT),
    })
    const location = response.headers.get('location') ?? ''
    expect(location).toMatch(new RegExp(`^${base}/[0-9a-f-]{36}$`))
    expect(await (await send('GET', location)).json()).toEqual(todo)
  })

  it.each([
    [{}, ['#/title']],
    [{ title: null }, ['#/title']],
    [{ title: '   ' }, ['#/title']],
    [{ title: 'x', colour: 'red', id: NEVER }, ['#/colour', '#/id']],
    [{ title: 'x', user_id: NEVER }, ['#/user_id']],
    [{ title: 'x', 'a/b~c': 1 }, ['#/a~1b~0c']],
    [{ title: 'x', completed: null }, ['#/completed']],
    [{ title: 'x', completed: 'true' }, ['#/completed']],
    [{ title: 'x', priority: 'HIGH' }, ['#/priority']],
    [{ title: 'x', tags: 'a' }, ['#/tags']],
    [{ title: 'x', tags: ['a', 1, null] }, ['#/tags/1', '#/tags/2']],
    [{ title: 'x', due_date: '2027-02-29' }, ['#/due_date']],
    [{ title: 'x', due_date: '2027-01-15', due_time: '24:00' }, ['#/due_time']],
    [{ title: 'x', due_date: '2027-01-15', due_time: '9:30' }, ['#/due_time']],
    [{ title: 'x', due_time: '09:30' }, ['#/due_time']],
    [{ title: 'x', time_zone: 'Mars/Olympus' }, ['#/time_zone']],
    [{ title: 'x', time_zone: '+02:00' }, ['#/time_zone']],
    [{ title: 1, description: 2 }, ['#/title', '#/description']],
    [[], ['#']],
    ['title', ['#']],
    [null, ['#']],
  ])('refuses %j at %j', async (body, expected) => {
    const { send } = await newClient()
    expect(await pointers(await send('POST', '', body))).toEqual(expected)
    expect(await answer(await send('GET'), TodoPage)).toMatchObject({ count: 0 })
  })

  it('answers 429 without Retry-After when the quota for open todos is used up', async () => {
    const { user, base } = await newClient()
    const full = todosApp({ ...world.deps, quotas: { openTodos: 1, conversations: 1 } })
    const send = (method: string, path: string, body: object) =>
      full.request(base + path, {
        method,
        headers: { ...user.headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    expect((await send('POST', '', { title: 'a' })).status).toBe(201)
    const done = await answer(await send('POST', '', { title: 'b', completed: true }), Todo)
    for (const [method, path, body] of [
      ['POST', '', { title: 'c' }],
      ['PUT', `/${done.id}`, { completed: false }],
      ['PATCH', `/${done.id}`, { completed: false }],
      ['PATCH', `/${done.id}/complete`, {}],
    ] as const) {
      const refused = await send(method, path, body)
      expect(await problemOf(refused, 429)).toMatchObject({
        detail: 'You have 1 open todos, which is the limit. Complete or delete some first.',
      })
      expect(refused.headers.has('retry-after')).toBe(false)
    }
  })

  it('rejects a body that is not JSON, or not sent as JSON', async () => {
    const { base, user } = await newClient()
    const post = (body: string, type?: string) =>
      app.request(base, { method: 'POST', body, headers: { ...user.headers, ...(type ? { 'content-type': type } : {}) } })
    await problemOf(await post('{"title":', 'application/json'), 400)
    await problemOf(await post('', 'application/json'), 400)
    await problemOf(await post('{"title":"x"}', 'text/plain'), 415)
    expect((await post('{"title":"x"}', 'Application/JSON; charset=utf-8')).status).toBe(201)
  })
})

describe('GET /{user_id}/todos', () => {
  it('answers a list with an envelope, also without todos', async () => {
    const { send, create } = await newClient()
    const empty = await send('GET')
    expect(empty.headers.has('link')).toBe(false)
    expect(await empty.json()).toEqual({ todos: [], count: 0, next_cursor: null })
    const [first, second] = [await create(), await create()]
    expect(await (await send('GET')).json()).toEqual({ todos: [second, first], count: 2, next_cursor: null })
  })

  it('links each page to the next one, with every other parameter kept', async () => {
    const { base, send, create } = await newClient()
    for (const title of ['c', 'a', 'b']) await create({ title: `a & ${title}=ü`, tags: ['x,y'] })
    await create({ title: 'other' })
    const seen: string[] = []
    let next: string | undefined = `?sort=title&limit=1&q=${encodeURIComponent('& ')}&tag=${encodeURIComponent('x,y')}`
    while (next) {
      const response: Response = await send('GET', next)
      const { todos, next_cursor } = await answer(response, TodoPage)
      seen.push(...todos.map(({ title }) => title))
      next = nextOf(response)
      expect(next === undefined).toBe(next_cursor === null)
      if (next) expect(new URL(next, 'http://x').searchParams.get('cursor')).toBe(next_cursor)
      if (next) expect(next.startsWith(`${base}?`)).toBe(true)
    }
    expect(seen).toEqual(['a & a=ü', 'a & b=ü', 'a & c=ü'])
  })

  it('lists 500 todos a page by default, on later pages too', async () => {
    const { send, user } = await newClient()
    await world.deps.db.execute(
      sql`INSERT INTO todos (id, user_id, title) SELECT gen_random_uuid(), ${user.id}, 'x' FROM generate_series(1, 1001)`,
    )
    const first = await send('GET', '?limit=1')
    const { next_cursor } = await answer(first, TodoPage)
    for (const [query, count] of [
      ['', 500],
      [`?cursor=${next_cursor}`, 500],
      ['?limit=1', 1],
      ['?limit=500', 500],
    ] as const) {
      const response = await send('GET', query)
      expect(await answer(response, TodoPage)).toMatchObject({ count })
      expect(nextOf(response)).toBeDefined()
    }
  })

  it.each([
    ['limit=0', ['#/limit']],
    ['limit=501', ['#/limit']],
    ['limit=-1', ['#/limit']],
    ['limit=ten', ['#/limit']],
    ['limit=1.5', ['#/limit']],
    ['limit=1e2', ['#/limit']],
    ['limit=', ['#/limit']],
    ['limit=99999999999999999999', ['#/limit']],
    ['limit=1&limit=2', ['#/limit']],
    ['status=pending&status=completed', ['#/status']],
    ['tag=a&tag=b', ['#/tag']],
    ['cursor=a&cursor=b', ['#/cursor']],
    ['status=open', ['#/status']],
    ['priority=none', ['#/priority']],
    ['sort=colour', ['#/sort']],
    ['sort=constructor', ['#/sort']],
    ['due_before=tomorrow', ['#/due_before']],
    ['due_after=2027-02-30', ['#/due_after']],
    ['q=%00', ['#/q']],
    ['cursor=garbage', ['#/cursor']],
    [`cursor=${'a'.repeat(2501)}`, ['#/cursor']],
    ['offset=1', ['#/offset']],
    ['__proto__=1', ['#/__proto__']],
    [`user_id=${NEVER}`, ['#/user_id']],
  ])('refuses ?%s', async (query, expected) => {
    const { send } = await newClient()
    expect(await pointers(await send('GET', `?${query}`))).toEqual(expected)
  })

  it('rejects a cursor of another sort', async () => {
    const { send, create } = await newClient()
    await create()
    await create()
    const { next_cursor } = await answer(await send('GET', '?limit=1'), TodoPage)
    expect(await pointers(await send('GET', `?limit=1&sort=title&cursor=${next_cursor}`))).toEqual(['#/cursor'])
  })
})

describe.each(['PUT', 'PATCH'])('%s /{user_id}/todos/{todo_id}', (method) => {
  it('changes only the fields sent, clears a field with null, and is idempotent', async () => {
    const { send, create } = await newClient()
    const todo = await create({ description: 'x', priority: 'low', due_date: '2027-01-15' })
    const response = await send(method, `/${todo.id}`, { description: null, due_time: '09:30' })
    expect(response.status).toBe(200)
    const changed = await answer(response, Todo)
    expect(changed).toEqual({ ...todo, description: null, due_time: '09:30', updated_at: changed.updated_at })
    expect(changed.updated_at > todo.updated_at).toBe(true)
    expect(await (await send(method, `/${todo.id}`, { description: null })).json()).toEqual(changed)
    expect(await (await send(method, `/${todo.id}`, {})).json()).toEqual(changed)
  })

  it.each([
    [{ title: null }, ['#/title']],
    [{ title: ' ' }, ['#/title']],
    [{ completed: null }, ['#/completed']],
    [{ todo_id: NEVER }, ['#/todo_id']],
    [{ user_id: NEVER, created_at: '2027-01-01' }, ['#/user_id', '#/created_at']],
    [{ due_date: null }, ['#/due_time']],
  ])('refuses %j', async (body, expected) => {
    const { send, create } = await newClient()
    const todo = await create({ due_date: '2027-01-15', due_time: '09:30' })
    expect(await pointers(await send(method, `/${todo.id}`, body))).toEqual(expected)
    expect(await (await send('GET', `/${todo.id}`)).json()).toEqual(todo)
  })
})

describe('PATCH /{user_id}/todos/{todo_id}/complete', () => {
  it('toggles a todo without a body, with an empty one and with {}', async () => {
    const { base, send, create, user } = await newClient()
    const { id } = await create()
    const answers = [
      await send('PATCH', `/${id}/complete`),
      await app.request(`${base}/${id}/complete`, {
        method: 'PATCH',
        body: '',
        headers: { ...user.headers, 'content-type': 'application/json' },
      }),
      await send('PATCH', `/${id}/complete`, {}),
    ]
    expect(await Promise.all(answers.map(async (response) => (await answer(response, Todo)).completed))).toEqual([true, false, true])
  })

  it('sets the given state of completion, idempotently', async () => {
    const { send, create } = await newClient()
    const { id } = await create()
    const completed = await answer(await send('PATCH', `/${id}/complete`, { completed: true }), Todo)
    expect(completed).toMatchObject({ completed: true, completed_at: expect.stringMatching(INSTANT) })
    expect(await (await send('PATCH', `/${id}/complete`, { completed: true })).json()).toEqual(completed)
    const reopened = await answer(await send('PATCH', `/${id}/complete`, { completed: false }), Todo)
    expect(reopened).toMatchObject({ completed: false, completed_at: null })
  })

  it.each([
    [{ completed: null }, '#/completed'],
    [{ completed: 'yes' }, '#/completed'],
    [{ done: true }, '#/done'],
  ])('refuses %j', async (body, pointer) => {
    const { send, create } = await newClient()
    expect(await pointers(await send('PATCH', `/${(await create()).id}/complete`, body))).toEqual([pointer])
  })
})

describe('DELETE /{user_id}/todos/{todo_id}', () => {
  it('deletes a todo once, then answers 404', async () => {
    const { send, create } = await newClient()
    const { id } = await create()
    const response = await send('DELETE', `/${id}`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ success: true, message: 'Todo deleted successfully' })
    await problemOf(await send('DELETE', `/${id}`), 404)
    await problemOf(await send('GET', `/${id}`), 404)
  })
})

const onOne = [
  ['GET', '', undefined],
  ['PUT', '', { title: 'mine' }],
  ['PATCH', '', { title: 'mine' }],
  ['DELETE', '', undefined],
  ['PATCH', '/complete', undefined],
] as const

describe.each(onOne)('%s on another user’s todo%s', (method, suffix, body) => {
  it("answers 404 for another user's id under the caller's own path, as for an unknown id", async () => {
    const [mine, theirs] = [await newClient(), await newClient()]
    const todo = await theirs.create()
    const { instance: _, ...forTheirs } = await problemOf(await mine.send(method, `/${todo.id}${suffix}`, body), 404)
    const { instance, ...forNone } = await problemOf(await mine.send(method, `/${NEVER}${suffix}`, body), 404)
    expect(forTheirs).toEqual(forNone)
    expect(instance).toBe(`${mine.base}/${NEVER}${suffix}`)
    expect(await (await theirs.send('GET', `/${todo.id}`)).json()).toEqual(todo)
  })

  it("answers 403 under another user's path, 401 without a token, 422 for an id that is not a UUID", async () => {
    const [mine, theirs] = [await newClient(), await newClient()]
    const todo = await theirs.create()
    await problemOf(await mine.send(method, `${theirs.base}/${todo.id}${suffix}`, body), 403)
    await problemOf(await mine.send(method, `${theirs.base}/no-uuid${suffix}`, body), 403)
    const anonymous = await mine.send(method, `${theirs.base}/${todo.id}${suffix}`, body, {})
    expect(anonymous.headers.get('www-authenticate')).toMatch(/^Bearer/)
    await problemOf(anonymous, 401)
    for (const id of ['no-uuid', '1', `${todo.id}x`, `${todo.id}%00`, "'%20OR%201=1", '%ff']) {
      expect(await pointers(await mine.send(method, `/${id}${suffix}`, body))).toEqual(['#/todo_id'])
    }
    expect(await (await theirs.send('GET', `/${todo.id}`)).json()).toEqual(todo)
  })
})

describe('everything else', () => {
  it("answers 403 for another user's list, and adds nothing to it", async () => {
    const [mine, theirs] = [await newClient(), await newClient()]
    await problemOf(await mine.send('GET', theirs.base), 403)
    await problemOf(await mine.send('POST', theirs.base, { title: 'x' }), 403)
    expect(await answer(await theirs.send('GET'), TodoPage)).toMatchObject({ count: 0 })
  })

  it.each([
    ['DELETE', '', ['GET', 'HEAD', 'OPTIONS', 'POST']],
    ['PUT', '', ['GET', 'HEAD', 'OPTIONS', 'POST']],
    ['POST', `/${NEVER}`, ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'PUT']],
    ['POST', `/${NEVER}/complete`, ['OPTIONS', 'PATCH']],
    ['GET', `/${NEVER}/complete`, ['OPTIONS', 'PATCH']],
  ])('answers %s on %s with 405 and what is allowed', async (method, path, allowed) => {
    const { send } = await newClient()
    const response = await send(method, path)
    expect(response.headers.get('allow')?.split(', ').sort()).toEqual(allowed)
    await problemOf(response, 405)
  })

  it('answers 404 at unknown addresses', async () => {
    const { send } = await newClient()
    for (const path of ['/', `/${NEVER}/`, `/${NEVER}/complete/now`]) await problemOf(await send('GET', path), 404)
  })

  it('accepts a todo id in upper case', async () => {
    const { send, create } = await newClient()
    const todo = await create()
    expect(await (await send('GET', `/${todo.id.toUpperCase()}`)).json()).toEqual(todo)
  })

  it('answers every route under /me as under the caller’s id', async () => {
    const { user, create, send } = await newClient()
    const todo = await create({ title: 'a' })
    const mine = (method: string, path = '', body?: unknown) => send(method, `/api/v1/me/todos${path}`, body)
    const created = await mine('POST', '', { title: 'b' })
    expect(created.status).toBe(201)
    const { id, user_id } = await answer(created, Todo)
    expect(user_id).toBe(user.id)
    expect(created.headers.get('location')).toBe(`/api/v1/me/todos/${id}`)
    const page = await mine('GET', '?limit=1')
    expect(await answer(page, TodoPage)).toMatchObject({ todos: [{ id }] })
    expect(nextOf(page)).toMatch(/^\/api\/v1\/me\/todos\?limit=1&cursor=/)
    expect((await mine('GET', `/${todo.id}`)).status).toBe(200)
    for (const method of ['PUT', 'PATCH']) expect((await mine(method, `/${todo.id}`, { title: 'c' })).status).toBe(200)
    expect(await answer(await mine('PATCH', `/${todo.id}/complete`), Todo)).toMatchObject({ title: 'c', completed: true })
    expect((await mine('DELETE', `/${todo.id}`)).status).toBe(200)
    expect((await send('GET', `/${todo.id}`)).status).toBe(404)
  })

  it('shows nothing of another user under /me', async () => {
    const [mine, theirs] = [await newClient(), await newClient()]
    const { id } = await theirs.create()
    await problemOf(await mine.send('GET', `/api/v1/me/todos/${id}`), 404)
    await problemOf(await mine.send('GET', '/api/v1/me/todos', undefined, {}), 401)
    await problemOf(await mine.send('GET', '/api/v1/ME/todos'), 403)
  })

  it("keeps the encoded path in Location and Link for a foreign issuer's user id that no header can hold", async () => {
    const actor = {
      userId: `用户 <${NEVER}>`,
      issuer: 'https://id.example.org',
      email: null,
      name: null,
      expiresAt: new Date(),
      readOnly: false,
    }
    const foreign = todosApp({ ...world.deps, verifyToken: async () => actor })
    const base = `/api/v1/${encodeURIComponent(actor.userId)}/todos`
    const headers = { authorization: 'Bearer any', 'content-type': 'application/json' }
    for (const title of ['a', 'b']) {
      const created = await foreign.request(base, { method: 'POST', headers, body: JSON.stringify({ title }) })
      expect(created.status).toBe(201)
      const { id } = await answer(created, Todo)
      expect(created.headers.get('location')).toBe(`${base}/${id}`)
      expect((await foreign.request(`${base}/${id}`, { headers })).status).toBe(200)
    }
    expect(nextOf(await foreign.request(`${base}?limit=1`, { headers }))).toMatch(new RegExp(`^${base}\\?`))
    await (await world.deps.db.prisma()).user.delete({ where: { id: actor.userId } })
  })
})
