import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { httpSink } from '../../shared/events/sink.ts'
import { Problem } from '../../shared/openapi/problems.ts'
import { deliveryTo } from '../../shared/runtime/deps.ts'
import { answer, testDeps } from '../../shared/testing/context.ts'
import { startFunction } from '../../shared/testing/process.ts'
import { newMigratedDatabase, startSink } from '../../shared/testing/sink.ts'
import { todoEvents } from '../../shared/todos/events.ts'
import { eventsApp } from './app.ts'
import { Swept } from './sweep.ts'

const DATABASE_URL = await newMigratedDatabase()
const { deps, lines } = testDeps({ DATABASE_URL })
afterAll(() => deps.db.close())

const BINARY = {
  'ce-specversion': '1.0',
  'ce-id': '1',
  'ce-source': '/apis/v1/namespaces/todo/pingsources/todo-sweep',
  'ce-type': 'dev.knative.sources.ping',
  'ce-time': '2027-01-10T08:15:30Z',
  'ce-knativearrivaltime': 'anything',
}
const event = {
  specversion: '1.0',
  id: '1',
  source: '/ticks',
  type: 'dev.knative.sources.ping',
  time: '2027-01-10T08:15:30Z',
  data: { a: 1 },
}
const structured = (body: unknown, type = 'application/cloudevents+json') => ({
  method: 'POST',
  headers: { 'content-type': type },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const binary = (headers: Record<string, string> = {}, body?: string) => ({ method: 'POST', headers: { ...BINARY, ...headers }, body })

const write = async (row: object) =>
  (await deps.db.prisma()).outboxEvent.create({
    data: { id: uuidv7(), userId: 'someone', subject: uuidv7(), type: 'todo.created', data: {}, ...row },
  })
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000)

describe('a tick', () => {
  const app = eventsApp(deps)

  it.each([
    ['in binary mode', binary()],
    ['in binary mode with data', binary({ 'content-type': 'application/json' }, '{"any":"thing"}')],
    ['in structured mode', structured(event)],
    ['in structured mode with a charset', structured(event, 'application/cloudevents+json; charset=utf-8')],
  ])('is taken %s', async (_mode, init) => {
    const response = await app.request('/', init)
    expect(response.status).toBe(200)
    expect(await answer(response, Swept)).toMatchObject({ sink: false, sent: 0, failed: 0 })
  })

  it.each([
    ['that is no event', { method: 'POST' }, 422],
    ['of another type', binary({ 'ce-type': 'todo.created' }), 422],
    ['of another version', binary({ 'ce-specversion': '0.3' }), 422],
    ['without an id', binary({ 'ce-id': '' }), 422],
    ['whose source is too long', binary({ 'ce-source': 'x'.repeat(1025) }), 422],
    ['of another type, structured', structured({ ...event, type: 'dev.knative.sources.pingpong' }), 422],
    ['without a source, structured', structured({ ...event, source: undefined }), 422],
    ['whose id is a number', structured({ ...event, id: 1 }), 422],
    ['that is a list', structured([event]), 422],
    ['that is no JSON', structured('{'), 400],
    ['that is nothing', structured(''), 400],
    ['in a batch', structured([event], 'application/cloudevents-batch+json'), 415],
    ['in another format', structured('<event/>', 'application/cloudevents+xml'), 415],
    ['that is too large', structured({ ...event, data: 'x'.repeat(64 * 1024) }), 413],
    ['that is too large, binary', binary({}, 'x'.repeat(64 * 1024 + 1)), 413],
  ])('is refused %s', async (_case, init, status) => {
    const response = await app.request('/', init)
    expect(response.status).toBe(status)
    expect(await answer(response, Problem)).toMatchObject({ status })
  })

  it('answers 405 to a GET instead of a tick', async () => {
    expect((await app.request('/')).status).toBe(405)
  })
})

describe('a sweep', () => {
  it('delivers pending events, and reports the counts in the log and the answer', async () => {
    const sink = await startSink(({ type }) => (type === 'todo.deleted' ? 400 : 202))
    const delivery = deliveryTo(httpSink(sink.url), deps.db, deps.log)
    const app = eventsApp({ ...deps, delivery })
    const events = await Promise.all(Array.from({ length: 40 }, () => write({})))
    const poison = await write({ type: 'todo.deleted' })
    // Not due yet: leased by another replica, or waiting for a retry.
    const held = await write({ nextAttemptAt: new Date(Date.now() + 3_600_000), createdAt: new Date(Date.now() - 100_000) })

    const answers = await Promise.all([1, 2, 3].map(async () => answer(await app.request('/', binary()), Swept)))
    expect(answers.reduce((sum, { sent }) => sum + sent, 0)).toBe(40)
    expect(answers.reduce((sum, { failed }) => sum + failed, 0)).toBe(1)
    expect(sink.events.map(({ id }) => id).sort()).toEqual([...events, poison].map(({ id }) => id).sort())
    for (const swept of answers) expect(lines).toContainEqual({ level: 'info', message: 'sweep', fields: { function: 'events', ...swept } })

    const after = await answer(await app.request('/', binary()), Swept)
    expect(after).toEqual({ sink: true, sent: 0, failed: 0, pruned: 0, dead: 1, oldest_age_seconds: expect.any(Number) })
    // 100 seconds plus the time of the test so far.
    expect(after.oldest_age_seconds).toBeGreaterThanOrEqual(100)
    expect(after.oldest_age_seconds).toBeLessThan(300)
    await (await deps.db.prisma()).outboxEvent.deleteMany({ where: { id: { in: [held.id, poison.id] } } })
  })

  it('deletes only events that were given up two weeks ago', async () => {
    const old = await write({ deadAt: daysAgo(14.1), createdAt: daysAgo(15) })
    const kept = [await write({ deadAt: daysAgo(13.9) }), await write({ createdAt: daysAgo(30) })]
    const swept = await answer(await eventsApp(deps).request('/', binary()), Swept)
    expect(swept).toMatchObject({ sink: false, pruned: 1, dead: 1 })
    expect(swept.oldest_age_seconds).toBeGreaterThan(29 * 86_400)
    const left = await (await deps.db.prisma()).outboxEvent.findMany({ where: { id: { in: [old, ...kept].map(({ id }) => id) } } })
    expect(left.map(({ id }) => id).sort()).toEqual(kept.map(({ id }) => id).sort())
    await (await deps.db.prisma()).outboxEvent.deleteMany({ where: { id: { in: kept.map(({ id }) => id) } } })
  })
})

it('describes every event type as a webhook', async () => {
  const Webhooks = z.looseObject({
    webhooks: z.record(z.string(), z.looseObject({ post: z.looseObject({ parameters: z.array(z.unknown()) }) })),
  })
  const { webhooks } = await answer(await eventsApp(deps).request('/openapi.json'), Webhooks)
  expect(Object.keys(webhooks)).toEqual(Object.keys(todoEvents))
  for (const [type, { post }] of Object.entries(webhooks)) {
    expect(post.parameters).toContainEqual(
      expect.objectContaining({ name: 'ce-dataschema', schema: { type: 'string', const: `urn:todo-backend:${type}:1` } }),
    )
    expect(post).toHaveProperty(['requestBody', 'content', 'application/json', 'schema', '$ref'])
  }
})

it('starts the events process with a database and a sink, without a secret', async () => {
  const sink = await startSink()
  const { id } = await write({})
  const events = await startFunction('events', { DATABASE_URL, K_SINK: sink.url, PORT: '0', HOST: '127.0.0.1' })
  const response = await fetch(events.url, { method: 'POST', headers: BINARY })
  expect(await answer(response, Swept)).toMatchObject({ sink: true, sent: 1 })
  expect(sink.events.map((each) => each.id)).toEqual([id])
  await events.stop()
})
