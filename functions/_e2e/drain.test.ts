// How a function drains: after SIGTERM under load it loses no request and ends in time.
import http from 'node:http'
import { afterAll, describe, expect, it } from 'vitest'
import { type Answer, ask, askUntilRefused } from '../../shared/testing/client.ts'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { holdTodo } from '../../shared/testing/hold-todo.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { Todo } from '../../shared/todos/schema.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

async function withSlowRequest() {
  const todos = await startFunction('todos', testEnvironment())
  const user = await newUser(world)
  const headers = { ...user.headers, 'content-type': 'application/json' }
  const base = `${todos.url}/api/v1/${user.id}/todos`
  const todo = await answer(await fetch(base, { method: 'POST', headers, body: '{"title":"Wait"}' }), Todo)
  const { waiting, release } = await holdTodo(world.deps.db, todo.id)
  const slow = fetch(`${base}/${todo.id}`, { method: 'PATCH', headers, body: '{"title":"Waited"}' })
  await expect.poll(waiting, { interval: 20 }).toBe(1)
  return { todos, base, headers, slow, release }
}

describe('SIGTERM', () => {
  it('loses no request, new or running, after SIGTERM under load, and ends with status 0', async () => {
    const { todos, base, headers, slow, release } = await withSlowRequest()
    const answers: Answer[] = []
    const clients = Array.from({ length: 4 }, () => askUntilRefused(base, [{ method: 'GET', headers }], (answer) => answers.push(answer)))
    await expect.poll(() => answers.length, { interval: 10 }).toBeGreaterThan(20)
    const gone = todos.stop('SIGTERM')
    await Promise.all(clients)
    // New connections are refused by now, and the slow request still runs.
    await release()
    const released = performance.now()
    expect(await answer(await slow, Todo)).toMatchObject({ title: 'Waited' })
    await gone
    // Connections are cut 25 s after the signal: nothing may be left to wait for.
    expect(performance.now() - released).toBeLessThan(15_000)

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    // `connection: close` announces the end before connections are refused.
    expect(answers.at(-1)?.connection).toBe('close')
    expect(answers.some(({ connection }) => connection === 'keep-alive')).toBe(true)
    expect(todos.lines.at(-1)).toMatchObject({ message: 'stopped' })
    // Every accepted request was answered: a request that was cut would have a log line and no answer.
    expect(todos.lines.filter(({ method }) => method === 'GET')).toHaveLength(answers.length)
  })

  it('ends at once after a second SIGTERM', async () => {
    const { todos, base, headers, slow, release } = await withSlowRequest()
    const lost = expect(slow).rejects.toThrow()
    const first = expect(todos.stop('SIGTERM')).rejects.toThrow('ended with status 1')
    // An answer with `connection: close` shows that the first signal has arrived.
    const agent = new http.Agent({ keepAlive: true })
    await expect.poll(async () => (await ask(base, agent, { method: 'GET', headers }))?.connection, { interval: 10 }).toBe('close')
    await expect(todos.stop('SIGTERM')).rejects.toThrow('ended with status 1')
    await Promise.all([first, lost])
    agent.destroy()
    await release()
  })
})
