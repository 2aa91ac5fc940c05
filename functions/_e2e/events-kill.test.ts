// Crashes and events: a process is killed (-9) repeatedly while it changes todos and delivers their events to a sink that fails at random.
// Every change arrives at least once, none is invented, and a todo's first arrivals have the order of its changes.
// EVENT_KILLS sets the number of kills; the suite kills a few times.

import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from '@todo/prisma'
import { expect, it } from 'vitest'
import { answer, newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { newMigratedDatabase, startSink } from '../../shared/testing/sink.ts'
import { Todo } from '../../shared/todos/schema.ts'

const KILLS = Number(process.env.EVENT_KILLS ?? 6)
const WRITERS = 4

const DATABASE_URL = await newMigratedDatabase()

it(
  `${KILLS} kills between changes and their deliveries lose no event, invent none, and keep each todo's order`,
  async () => {
    const world = testDeps({ DATABASE_URL })
    const { id: user, email } = await newUser(world)
    const sink = await startSink(() => (Math.random() < 0.2 ? [500, 503, 404, 429][Math.floor(Math.random() * 4)] : 202))
    const environment = testEnvironment({ DATABASE_URL, K_SINK: sink.url })
    let alive = false
    let failed: unknown
    /** The answers about each todo, in order. */
    const answered = new Map<string, Todo[]>()

    /** Creates a todo and toggles it until the process has ended. After a 503, whose outcome is unknown, it goes on with another todo. */
    async function writer(base: string, token: string, count: () => void): Promise<void> {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const ask = async (path: string, init: RequestInit) => {
        const response = await fetch(base + path, { headers, ...init })
        return response.status === 503 ? undefined : answer(response, Todo)
      }
      try {
        for (;;) {
          let todo = await ask('', { method: 'POST', body: '{"title":"Survive"}' })
          if (todo) answered.set(todo.id, [todo])
          while (todo) {
            const { id } = todo
            todo = await ask(`/${id}/complete`, { method: 'PATCH' })
            if (!todo) break
            answered.get(id)?.push(todo)
            count()
          }
        }
      } catch (error) {
        // Killed: the outcome of the last request is unknown.
        if (alive) failed = error
      }
    }

    for (let kill = 0; kill < KILLS; kill++) {
      const todos = await startFunction('todos', environment)
      const base = `${todos.url}/api/v1/${user}/todos`
      // A thousand kills take longer than a token is good for.
      const { token } = await world.issueToken({ id: user, email })
      let made = 0
      alive = true
      const writers = Array.from({ length: WRITERS }, () => writer(base, token, () => made++))
      while (made < WRITERS * 3 && failed === undefined) await sleep(5)
      await sleep(Math.random() * 30)
      alive = false
      await todos.stop('SIGKILL')
      await Promise.all(writers)
      expect(failed).toBeUndefined()
    }

    // Leases of the killed processes are made due at once instead of waiting for them to expire; so are the retries.
    const events = await startFunction('events', environment)
    const tick = { 'ce-id': '1', 'ce-source': '/tick', 'ce-specversion': '1.0', 'ce-type': 'dev.knative.sources.ping' }
    for (;;) {
      await world.deps.db.execute(sql`UPDATE outbox_events SET next_attempt_at = now() WHERE next_attempt_at > now()`)
      await fetch(events.url, { method: 'POST', headers: tick })
      if ((await (await world.deps.db.prisma()).outboxEvent.count()) === 0) break
    }
    await events.stop()

    const changes = await (await world.deps.db.prisma()).todo.findMany({ where: { userId: user } })
    expect(changes.length).toBeGreaterThanOrEqual(answered.size)
    const arrivals = new Map<string, Todo[]>()
    for (const { subject = '', data } of sink.events) {
      const { changed: _, ...todo } = { changed: undefined, ...(data as object) }
      const known = arrivals.get(subject) ?? []
      if (!known.some(({ updated_at }) => updated_at === Todo.parse(todo).updated_at)) known.push(Todo.parse(todo))
      arrivals.set(subject, known)
    }
    expect([...arrivals.keys()].sort()).toEqual(changes.map(({ id }) => id).sort())
    for (const { id, updatedAt } of changes) {
      const delivered = arrivals.get(id) ?? []
      const last = delivered.at(-1)
      // In order, without a gap: each toggles what the one before left, and the last is what the database holds.
      expect(delivered.map(({ completed }) => completed)).toEqual(delivered.map((_, n) => n % 2 === 1))
      expect(delivered.map(({ updated_at }) => updated_at)).toEqual(delivered.map(({ updated_at }) => updated_at).sort())
      expect(last?.updated_at).toBe(updatedAt.toISOString())
      // Every answered change was delivered, plus at most the one change that the kill left without an answer.
      const known = answered.get(id) ?? []
      expect(delivered.slice(0, known.length)).toEqual(known)
      expect(delivered.length - known.length).toBeLessThanOrEqual(1)
    }
    const delivered = [...arrivals.values()].reduce((sum, { length }) => sum + length, 0)
    process.stdout.write(`${KILLS} kills: ${delivered} changes of ${changes.length} todos, ${sink.events.length} deliveries\n`)
    await world.deps.db.close()
  },
  Math.max(180_000, KILLS * 20_000),
)
