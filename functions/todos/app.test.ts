import { afterAll, describe, expect, it } from 'vitest'
import { Todo } from '../../shared/operations/todo-schemas.ts'
import { answer, newUser, testDeps } from '../../shared/testing.ts'
import { todosApp } from './app.ts'

const world = testDeps()
const app = todosApp(world.deps)
afterAll(() => world.deps.db.$disconnect())

const json = (body: unknown, headers: Record<string, string>, method = 'POST') => ({
  method,
  body: JSON.stringify(body),
  headers: { ...headers, 'content-type': 'application/json' },
})

describe('todos over HTTP', () => {
  it('creates, lists, shows, changes, completes and deletes', async () => {
    const user = await newUser(world)
    const base = `/api/v1/${user.id}/todos`
    const created = await app.request(
      base,
      json(
        {
          title: '  Buy milk ',
          priority: 'high',
          tags: ['a', 'a', 'b'],
          due_date: '2027-01-15',
          due_time: '09:30',
          time_zone: 'Europe/Berlin',
        },
        user.headers,
      ),
    )
    expect(created.status).toBe(201)
    const todo = await answer(created, Todo)
    expect(todo).toMatchObject({
      user_id: user.id,
      title: 'Buy milk',
      description: null,
      completed: false,
      completed_at: null,
      priority: 'high',
      tags: ['a', 'b'],
      due_date: '2027-01-15',
      due_time: '09:30',
      time_zone: 'Europe/Berlin',
    })
    expect(created.headers.get('location')).toBe(`${base}/${todo.id}`)
    const list = await app.request(base, { headers: user.headers })
    expect(await list.json()).toEqual({ todos: [todo], count: 1, next_cursor: null })
    const put = await app.request(`${base}/${todo.id}`, json({ description: 'x' }, user.headers, 'PUT'))
    const changed = await answer(put, Todo)
    expect(changed).toEqual({ ...todo, description: 'x', updated_at: expect.any(String) })
    expect(changed.updated_at > todo.updated_at).toBe(true)
    const same = await app.request(`${base}/${todo.id}`, json({ description: 'x' }, user.headers, 'PATCH'))
    expect(await same.json()).toEqual(changed)
    const toggled = await app.request(`${base}/${todo.id}/complete`, { method: 'PATCH', headers: user.headers })
    expect(await toggled.json()).toMatchObject({ completed: true, completed_at: expect.any(String) })
    const refused = await app.request(`${base}/${todo.id}`, json({ due_date: null }, user.headers, 'PUT'))
    expect(refused.status).toBe(422)
    expect(await refused.json()).toMatchObject({ errors: [{ pointer: '#/due_time' }] })
    const deleted = await app.request(`${base}/${todo.id}`, { method: 'DELETE', headers: user.headers })
    expect(await deleted.json()).toEqual({ success: true, message: 'Todo deleted successfully' })
    expect((await app.request(`${base}/${todo.id}`, { headers: user.headers })).status).toBe(404)
    expect((await app.request(`${base}`, { method: 'DELETE', headers: user.headers })).status).toBe(405)
    for (const sort of ['created', '-created', 'updated', 'title', '-title', 'due', '-due', 'priority', '-priority']) {
      const page = await app.request(`${base}?sort=${sort}&limit=1`, { headers: user.headers })
      expect(page.status).toBe(200)
    }
  })
})
