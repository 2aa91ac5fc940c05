// Two replicas of one function over one database: no state may live in one process only.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { type FunctionProcess, startFunction } from '../../shared/testing/process.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'

const world = testDeps()
let replicas: readonly [FunctionProcess, FunctionProcess]
beforeAll(async () => {
  replicas = await Promise.all([startFunction('todos', testEnvironment()), startFunction('todos', testEnvironment())])
})
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()))
  await world.deps.db.close()
})

/** The replica that the n-th request goes to, when they take turns. */
const inTurn = (n: number) => (n % 2 === 0 ? replicas[0] : replicas[1]).url

async function newOwner() {
  const user = await newUser(world)
  const path = `/api/v1/${user.id}/todos`
  const headers = { ...user.headers, 'content-type': 'application/json' }
  const create = (title: string, at: string) => fetch(at + path, { method: 'POST', headers, body: JSON.stringify({ title }) })
  return { path, headers, create }
}

describe('two replicas of todos', () => {
  it('two replicas toggle one todo in parallel with the result of as many toggles in a row', async () => {
    const { path, headers, create } = await newOwner()
    const todo = await answer(await create('Feed the cat', inTurn(0)), Todo)
    for (const [toggles, completed] of [
      [31, true],
      [20, true],
      [21, false],
    ] as const) {
      const url = (n: number) => `${inTurn(n)}${path}/${todo.id}/complete`
      const answers = await Promise.all(Array.from({ length: toggles }, (_, n) => fetch(url(n), { method: 'PATCH', headers })))
      expect(answers.map(({ status }) => status)).toEqual(Array(toggles).fill(200))
      expect(await answer(await fetch(`${inTurn(1)}${path}/${todo.id}`, { headers }), Todo)).toMatchObject({ completed })
    }
  })

  it('two replicas create in parallel, and either lists everything', async () => {
    const { path, headers, create } = await newOwner()
    const titles = Array.from({ length: 40 }, (_, n) => `todo ${n}`)
    const created = await Promise.all(titles.map((title, n) => create(title, inTurn(n))))
    expect(created.map(({ status }) => status)).toEqual(titles.map(() => 201))
    for (const { url } of replicas) {
      const { todos } = await answer(await fetch(url + path, { headers }), TodoPage)
      expect(new Set(todos.map(({ title }) => title))).toEqual(new Set(titles))
      expect(todos).toHaveLength(titles.length)
    }
  })

  it('a replica continues a list that the other began, by its Link', async () => {
    const { path, headers, create } = await newOwner()
    const titles = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    await Promise.all(titles.map((title, n) => create(title, inTurn(n))))
    const seen: string[] = []
    let next: string | undefined = `${path}?sort=title&limit=2`
    for (let page = 0; next; page++) {
      const response: Response = await fetch(inTurn(page) + next, { headers })
      seen.push(...(await answer(response, TodoPage)).todos.map(({ title }) => title))
      next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
    }
    expect(seen).toEqual(titles)
  })
})
