import { createDb, type Db, sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { newMigratedDatabase, startSink } from '../testing/sink.ts'
import { type Delivery, type DeliveryLimits, type DeliveryNews, type DeliveryOptions, deliveryLimits, makeDelivery } from './delivery.ts'
import { makeOutbox } from './outbox.ts'
import { httpSink, type Send, type Verdict } from './sink.ts'

const url = await newMigratedDatabase()
const db = createDb({ url, poolSize: 10 })
afterAll(() => db.close())
// The outbox is this file's own, and so a replica that one test leaves running would take the events of the next.
const replicas: Delivery[] = []
afterEach(() => Promise.all(replicas.splice(0).map((replica) => replica.drain())))
beforeEach(async () => (await db.prisma()).outboxEvent.deleteMany())

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
type Row = Partial<{ subject: string; type: string; traceparent: string; attempts: number; nextAttemptAt: Date; deadAt: Date }>

/** Writes events as they would be written by changes, one after the other; returns their ids. */
async function write(...rows: Row[]): Promise<string[]> {
  const ids = rows.map(() => uuidv7())
  for (const [index, row] of rows.entries())
    await (await db.prisma()).outboxEvent.create({
      data: { id: ids[index] ?? '', userId: 'someone', subject: uuidv7(), type: 'todo.created', data: { title: 'Müsli' }, ...row },
    })
  return ids
}
const left = async (ids: string[]) => (await db.prisma()).outboxEvent.findMany({ where: { id: { in: ids } }, orderBy: { sequence: 'asc' } })

/** A replica that is drained when its test ends. */
function startReplica(options: DeliveryOptions): Delivery {
  const replica = makeDelivery(options)
  replicas.push(replica)
  return replica
}

/** Makes everything due, as if so much time had passed. */
const endLeases = () => db.execute(sql`UPDATE outbox_events SET next_attempt_at = now() WHERE next_attempt_at > now()`)

/** One of several replicas. `news` is what it would have logged. */
function newReplica(send: Send, limits: Partial<DeliveryLimits> = {}) {
  const news: DeliveryNews[] = []
  const replica = startReplica({ db, send, report: (each) => news.push(each), limits: { ...deliveryLimits, ...limits } })
  return { ...replica, news }
}

/** The database, and how many statements went through it. */
function countStatements() {
  let statements = 0
  const counted: Db = {
    ...db,
    query(statement, schema) {
      statements++
      return db.query(statement, schema)
    },
    execute(statement) {
      statements++
      return db.execute(statement)
    },
  }
  return { db: counted, statements: () => statements }
}
const soon = 20_000
const PATIENCE = { interval: 20 }

describe('a delivery', () => {
  it('is a CloudEvent in binary mode, and leaves nothing behind', async () => {
    const sink = await startSink()
    const [id = ''] = await write({ subject: 'a', traceparent: TRACEPARENT })
    const replica = newReplica(httpSink(sink.url, { cluster: 'blü "1"%' }))
    replica.nudge()
    await expect.poll(() => left([id]), PATIENCE).toEqual([])
    expect(sink.events).toHaveLength(1)
    expect({ ...sink.events[0] }).toEqual({
      specversion: '1.0',
      id,
      source: '/todo-backend/todos',
      type: 'todo.created',
      subject: 'a',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      datacontenttype: 'application/json',
      dataschema: 'urn:todo-backend:todo.created:1',
      traceparent: TRACEPARENT,
      sequence: expect.stringMatching(/^\d{20}$/),
      partitionkey: 'a',
      cluster: 'bl%C3%BC%20%221%22%25',
      data: { title: 'Müsli' },
    })
  })

  it('is made by any number of replicas at once, each event once and those of a subject in order', async () => {
    const sink = await startSink(async () => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5))
      return 202
    })
    const subjects = Array.from({ length: 12 }, () => uuidv7())
    const ids = await write(...Array.from({ length: 120 }, (_, n) => ({ subject: subjects[(n * 7) % 12] })))
    const replicas = Array.from({ length: 4 }, () => newReplica(httpSink(sink.url), { parallel: 8 }))
    const tallies = await Promise.all(replicas.map((replica) => replica.sweep(soon)))
    // A replica may find every event leased and stop; the last one to deliver continues until the outbox is empty.
    expect(await left(ids)).toEqual([])
    expect(tallies.reduce((sum, { sent }) => sum + sent, 0)).toBe(120)
    expect(sink.events.map(({ id }) => id).sort()).toEqual([...ids].sort())
    for (const subject of subjects) {
      const order = sink.events.filter((event) => event.subject === subject).map(({ id }) => id)
      expect(order).toEqual(ids.filter((id) => order.includes(id)))
    }
    expect(sink.peak()).toBeLessThanOrEqual(32)
    expect(sink.peak()).toBeGreaterThan(4)
  })
  it('is made after the change, without holding up its answer, even when the sink takes its time', async () => {
    const answered = Promise.withResolvers<void>()
    const sink = await startSink(async () => {
      await answered.promise
      return 202
    })
    const replica = newReplica(httpSink(sink.url))
    const first = await write({})
    replica.nudge()
    await expect.poll(() => sink.events.length, PATIENCE).toBe(1)
    // What is written while a delivery is under way does not wait for it.
    const second = await write({}, {})
    replica.nudge()
    await expect.poll(() => sink.events.length, PATIENCE).toBe(3)
    answered.resolve()
    await expect.poll(() => left([...first, ...second]), PATIENCE).toEqual([])
    expect(replica.news).toEqual([])
  })
})

describe('a delivery that fails', () => {
  it.each([
    ['500', 500],
    ['503 and says when', { status: 503, headers: { 'retry-after': '7' } }],
    ['429 and says until when', { status: 429, headers: { 'retry-after': new Date(Date.now() + 30 * 60_000).toUTCString() } }],
    ['404', 404],
    ['408', 408],
    ['409', 409],
    ['401', 401],
    ['403', 403],
    ['a redirect', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }],
  ])('with %s is tried again later, and holds back what comes after it', async (_case, reply) => {
    const sink = await startSink(() => reply)
    const subject = uuidv7()
    const ids = await write({ subject, attempts: 2 }, { subject })
    const { sweep, news } = newReplica(httpSink(sink.url))
    const begun = Date.now()
    expect(await sweep(soon)).toEqual({ sent: 0, failed: 1 })
    expect(sink.events.map(({ id }) => id)).toEqual([ids[0]])
    const [failed, waiting] = await left(ids)
    const status = typeof reply === 'number' ? reply : reply.status
    expect(failed).toMatchObject({ attempts: 3, lastError: `HTTP ${status}`, deadAt: null })
    expect(waiting).toMatchObject({ attempts: 0, lastError: null, deadAt: null })
    const due = failed?.nextAttemptAt.getTime() ?? 0
    // Four seconds after two failures, less up to a half by chance; more if the sink asks for it.
    const [least, most] =
      typeof reply === 'number' || status === 307 ? [2_000, 4_000] : status === 503 ? [7_000, 7_000] : [20 * 60_000, 30 * 60_000]
    expect(due - begun).toBeGreaterThanOrEqual(least)
    expect(due - Date.now()).toBeLessThanOrEqual(most)
    expect(news).toEqual([{ is: 'failing', failed: 1, reason: `HTTP ${status}` }])
  })

  it.each([
    ['400', 400],
    ['422', 422],
  ])('with %s is given up at once, and holds back nothing', async (_case, reply) => {
    const subject = uuidv7()
    const ids = await write({ subject }, { subject })
    const sink = await startSink(({ id }) => (id === ids[0] ? reply : 202))
    const { sweep, news } = newReplica(httpSink(sink.url))
    expect(await sweep(soon)).toEqual({ sent: 1, failed: 1 })
    expect(sink.events.map(({ id }) => id)).toEqual(ids)
    expect(await left(ids)).toMatchObject([{ id: ids[0], attempts: 1, deadAt: expect.any(Date) }])
    expect(news).toMatchObject([{ is: 'dead', event: { id: ids[0] }, reason: `HTTP ${reply}` }])
  })

  it('is reported once for many failures, and again with their number', async () => {
    const sink = await startSink(() => 500)
    await write(...Array.from({ length: 40 }, () => ({})))
    // Long enough that none is due again within the sweep, however slow the machine.
    const { sweep, news } = newReplica(httpSink(sink.url), { parallel: 4, firstWait: 60_000 })
    expect(await sweep(soon)).toEqual({ sent: 0, failed: 40 })
    expect(news).toHaveLength(1)
    const others = newReplica(httpSink(sink.url), { parallel: 4, firstWait: 60_000, reportEvery: 0 })
    await (await db.prisma()).outboxEvent.updateMany({ data: { nextAttemptAt: new Date(0) } })
    await others.sweep(soon)
    expect(others.news.length).toBeGreaterThan(1)
    expect(others.news.reduce((sum, each) => sum + (each.is === 'failing' ? each.failed : 0), 0)).toBe(40)
  })

  it('ends the run of its subject: earlier events are delivered, later ones wait untried', async () => {
    const subject = uuidv7()
    const ids = await write(...Array.from({ length: 6 }, () => ({ subject })))
    const sink = await startSink(({ id }) => (id === ids[3] ? 503 : 202))
    expect(await newReplica(httpSink(sink.url), { firstWait: 60_000 }).sweep(soon)).toEqual({ sent: 3, failed: 1 })
    expect(sink.events.map(({ id }) => id)).toEqual(ids.slice(0, 4))
    const rows = await left(ids)
    expect(rows.map(({ id, attempts }) => [id, attempts])).toEqual([
      [ids[3], 1],
      [ids[4], 0],
      [ids[5], 0],
    ])
    for (const { nextAttemptAt } of rows) expect(nextAttemptAt.getTime()).toBeGreaterThan(Date.now() + 15_000)
  })

  it('for good within a run is given up, and the run goes on', async () => {
    const subject = uuidv7()
    const ids = await write(...Array.from({ length: 6 }, () => ({ subject })))
    const sink = await startSink(({ id }) => (id === ids[0] || id === ids[3] ? 422 : 202))
    expect(await newReplica(httpSink(sink.url)).sweep(soon)).toEqual({ sent: 4, failed: 2 })
    expect(sink.events.map(({ id }) => id)).toEqual(ids)
    const dead = { attempts: 1, lastError: 'HTTP 422', deadAt: expect.any(Date) }
    expect(await left(ids)).toMatchObject([
      { id: ids[0], ...dead },
      { id: ids[3], ...dead },
    ])
  })

  it('is given up after the last try', async () => {
    const sink = await startSink(() => 500)
    const subject = uuidv7()
    const ids = await write({ subject, attempts: deliveryLimits.attempts - 1 }, { subject, nextAttemptAt: new Date(Date.now() + 60_000) })
    expect(await newReplica(httpSink(sink.url)).sweep(soon)).toEqual({ sent: 0, failed: 2 })
    expect(await left(ids)).toMatchObject([
      { attempts: deliveryLimits.attempts, lastError: 'HTTP 500', deadAt: expect.any(Date) },
      { attempts: 1, deadAt: null },
    ])
  })

  it('is retried by the replica itself while the sink is down', async () => {
    let up = false
    const sink = await startSink(() => (up ? 202 : 503))
    const nowhere = httpSink('http://127.0.0.1:2/')
    const [id = ''] = await write({ subject: 'b' })
    const replica = newReplica((event, signal) => (up ? httpSink(sink.url)(event, signal) : nowhere(event, signal)), {
      firstWait: 100,
      reportEvery: 0,
    })
    replica.nudge()
    await expect.poll(() => replica.news.length, PATIENCE).toBeGreaterThan(1)
    expect(replica.news[0]).toEqual({ is: 'failing', failed: 1, reason: 'ECONNREFUSED' })
    up = true
    await expect.poll(() => left([id]), PATIENCE).toEqual([])
  })

  it('because no answer comes in time is given up by its sender, not by the outbox', async () => {
    const sink = await startSink(() => undefined)
    const [id = ''] = await write({ subject: 'c' })
    expect(await newReplica(httpSink(sink.url, {}, 100)).sweep(soon)).toEqual({ sent: 0, failed: 1 })
    expect(await left([id])).toMatchObject([{ attempts: 1, lastError: 'TimeoutError', deadAt: null }])
  })
})

describe('a replica', () => {
  it('that vanished leaves its events to another, when its lease runs out and not before', async () => {
    const subject = uuidv7()
    const ids = await write({ subject }, { subject })
    // Takes both and never answers while the test runs.
    const hung = Promise.withResolvers<Verdict>()
    const vanished = newReplica(() => hung.promise)
    vanished.nudge()
    await expect.poll(async () => (await left(ids))[0]?.nextAttemptAt.getTime(), PATIENCE).toBeGreaterThan(Date.now())
    const sink = await startSink()
    const other = newReplica(httpSink(sink.url))
    expect(await other.sweep(soon)).toEqual({ sent: 0, failed: 0 })
    await endLeases()
    expect(await other.sweep(soon)).toEqual({ sent: 2, failed: 0 })
    expect(sink.events.map(({ id }) => id)).toEqual(ids)
    hung.resolve({ is: 'later', reason: 'too late' })
  })

  it('that comes back from the dead changes nothing that another has done since', async () => {
    const [id = ''] = await write({ subject: 'd' })
    const [before] = await left([id])
    const slow = Promise.withResolvers<Verdict>()
    const zombie = newReplica(() => slow.promise, { lease: 50 })
    const late = zombie.sweep(soon)
    await expect.poll(async () => (await left([id]))[0]?.nextAttemptAt, PATIENCE).not.toEqual(before?.nextAttemptAt)
    const busy = Promise.withResolvers<Verdict>()
    const taken = Promise.withResolvers<void>()
    const other = newReplica(() => {
      taken.resolve()
      return busy.promise
    })
    let second = other.sweep(soon)
    // Until the first lease has run out there is nothing to take.
    for (let had: unknown = true; had; ) {
      had = await Promise.race([second, taken.promise])
      if (had) second = other.sweep(soon)
    }
    slow.resolve({ is: 'later', reason: 'too late' })
    await late
    expect(await left([id])).toMatchObject([{ attempts: 0, lastError: null }])
    busy.resolve({ is: 'delivered' })
    expect(await second).toEqual({ sent: 1, failed: 0 })
    expect(await left([id])).toEqual([])
  })

  it('that vanished in the middle of a run leaves all of it to another, which begins where nothing was settled', async () => {
    const subject = uuidv7()
    const ids = await write(...Array.from({ length: 6 }, () => ({ subject })))
    const hung = Promise.withResolvers<Verdict>()
    const tried: string[] = []
    const send: Send = async ({ id }) => {
      tried.push(id)
      return tried.length < 4 ? { is: 'delivered' } : hung.promise
    }
    const zombie = newReplica(send)
    const late = zombie.sweep(soon)
    await expect.poll(() => tried, PATIENCE).toEqual(ids.slice(0, 4))
    const sink = await startSink()
    await endLeases()
    expect(await newReplica(httpSink(sink.url)).sweep(soon)).toEqual({ sent: 6, failed: 0 })
    // Three events arrive twice, all of them in order.
    expect(sink.events.map(({ id }) => id)).toEqual(ids)
    hung.resolve({ is: 'later', reason: 'too late' })
    expect(await late).toEqual({ sent: 3, failed: 1 })
    expect(tried).toHaveLength(4)
    expect(await left(ids)).toEqual([])
  })

  it('that comes back in the middle of a run leaves what another has taken over', async () => {
    const subject = uuidv7()
    const ids = await write(...Array.from({ length: 4 }, () => ({ subject })))
    const slow = Promise.withResolvers<Verdict>()
    let tried = 0
    const zombie = newReplica(async () => (++tried < 2 ? { is: 'delivered' } : slow.promise))
    const late = zombie.sweep(soon)
    await expect.poll(() => tried, PATIENCE).toBe(2)
    const busy = Promise.withResolvers<Verdict>()
    let taken = false
    const other = newReplica(() => {
      taken = true
      return busy.promise
    })
    await endLeases()
    const second = other.sweep(soon)
    await expect.poll(() => taken, PATIENCE).toBe(true)
    slow.resolve({ is: 'refused', reason: 'too late' })
    await late
    // The first event was delivered, which holds for any holder of the lease. The second is not given up by the late replica.
    expect(await left(ids)).toMatchObject(ids.slice(1).map((id) => ({ id, deadAt: null, lastError: null })))
    busy.resolve({ is: 'delivered' })
    expect(await second).toEqual({ sent: 4, failed: 0 })
    expect(await left(ids)).toEqual([])
  })

  it('whose time for a run is over gives back the rest of it at once', async () => {
    const sink = await startSink()
    const subject = uuidv7()
    const ids = await write(...Array.from({ length: 5 }, () => ({ subject })))
    const counting = countStatements()
    const limits = { ...deliveryLimits, runMs: 0 }
    const replica = startReplica({ db: counting.db, send: httpSink(sink.url), report: () => {}, limits })
    expect(await replica.sweep(soon)).toEqual({ sent: 5, failed: 0 })
    expect(sink.events.map(({ id }) => id)).toEqual(ids)
    // A claim and a settlement for each event, because a run may begin no second delivery.
    expect(counting.statements()).toBeGreaterThanOrEqual(10)
  })

  it('that ends in the middle of a run settles what is delivered and gives back the rest', async () => {
    const subject = uuidv7()
    const ids = await write(...Array.from({ length: 5 }, () => ({ subject })))
    const sink = await startSink(({ id }) => (id === ids[2] ? undefined : 202))
    const replica = newReplica(httpSink(sink.url), { drain: 200 })
    replica.nudge()
    await expect.poll(() => sink.events.length, PATIENCE).toBe(3)
    await replica.drain()
    const rows = await left(ids)
    expect(rows.map(({ id, attempts }) => [id, attempts])).toEqual(ids.slice(2).map((id) => [id, 0]))
    expect(rows[0]?.nextAttemptAt.getTime()).toBeLessThanOrEqual(Date.now())
  })

  it('that ends delivers what it can, gives back the rest, and takes no more', async () => {
    const sink = await startSink(({ subject }) => (subject === 'never' ? undefined : 202))
    const quick = await write({}, {}, {})
    const [never = ''] = await write({ subject: 'never', attempts: 3 })
    const replica = newReplica(httpSink(sink.url), { drain: 1_500 })
    replica.nudge()
    await expect.poll(() => sink.events.length, PATIENCE).toBe(4)
    await replica.drain()
    expect(await left(quick)).toEqual([])
    const [returned] = await left([never])
    expect(returned).toMatchObject({ attempts: 3, lastError: null, deadAt: null })
    expect(returned?.nextAttemptAt.getTime()).toBeLessThanOrEqual(Date.now())
    const count = sink.events.length
    replica.nudge()
    await replica.drain()
    expect(sink.events).toHaveLength(count)
  })

  it('reports that its database is away, and resumes when it is back', async () => {
    const sink = await startSink()
    const [id = ''] = await write({ subject: 'e' })
    const news: DeliveryNews[] = []
    let away = true
    const flaky: Db = {
      ...db,
      async query(statement, schema) {
        if (away) throw new Error('away')
        return db.query(statement, schema)
      },
    }
    const replica = startReplica({
      db: flaky,
      send: httpSink(sink.url),
      report: (each) => news.push(each),
      limits: { ...deliveryLimits, databaseAway: 50 },
    })
    replica.nudge()
    await expect.poll(() => news.length, PATIENCE).toBeGreaterThan(1)
    expect(news[0]).toMatchObject({ is: 'away', cause: { message: 'away' } })
    away = false
    await expect.poll(() => left([id]), PATIENCE).toEqual([])
  })
})

it('however many events one subject has waiting, those of others are delivered meanwhile, and all of them in the end', async () => {
  const one = uuidv7()
  const arrived = new Set<string | undefined>()
  const allOthers = Promise.withResolvers<void>()
  // The subject's third delivery is answered once the others have arrived.
  const sink = await startSink(async ({ id, subject }) => {
    if (subject === one) {
      if (id === many[2]) await allOthers.promise
    } else if (arrived.add(id).size === others.length) allOthers.resolve()
    return 202
  })
  const many = await write(...Array.from({ length: 60 }, () => ({ subject: one })))
  const others = await write(...Array.from({ length: 10 }, () => ({})))
  const two = [newReplica(httpSink(sink.url)), newReplica(httpSink(sink.url))]
  await Promise.all(two.map((replica) => replica.sweep(soon)))
  await expect.poll(() => left([...many, ...others]), PATIENCE).toEqual([])
  expect(sink.events.filter(({ subject }) => subject === one).map(({ id }) => id)).toEqual(many)
})

describe('a long queue of one subject', () => {
  it('is delivered in runs: each takes a handful of statements, not several an event', async () => {
    const subject = uuidv7()
    const ids = Array.from({ length: 300 }, () => uuidv7())
    const data = ids.map((id) => ({ id, userId: 'someone', subject, type: 'todo.created', data: {} }))
    await (await db.prisma()).outboxEvent.createMany({ data })
    const order: string[] = []
    const send: Send = async ({ id }) => {
      order.push(id)
      return { is: 'delivered' }
    }
    const counting = countStatements()
    const replica = startReplica({ db: counting.db, send, report: () => {} })
    expect(await replica.sweep(soon)).toEqual({ sent: 300, failed: 0 })
    expect(order).toEqual(ids)
    expect(counting.statements()).toBeLessThan(100)
  })

  it.each([100, 30_000])('is read in small pieces when it has %i events', async (count) => {
    // A database with one session, which reports its counts when it is asked to: those of other sessions come at any time.
    const one = createDb({ url: await newMigratedDatabase(), poolSize: 1 })
    const rowsTouched = async () => {
      await one.query(sql`SELECT pg_stat_force_next_flush()::text`, z.unknown())
      const [{ rows } = { rows: 0 }] = await one.query(
        sql`
        SELECT (seq_tup_read + idx_tup_fetch + n_tup_upd)::int AS rows FROM pg_stat_user_tables WHERE relname = 'outbox_events'`,
        z.object({ rows: z.number() }),
      )
      return rows
    }
    await one.execute(sql`
      INSERT INTO outbox_events (id, user_id, subject, type, data, next_attempt_at)
      SELECT gen_random_uuid(), 'someone', 'hot', 'todo.created', '{}', now() - (${count}::int - n) * interval '1 millisecond'
      FROM generate_series(1, ${count}::int) AS n`)
    await one.execute(sql`ANALYZE outbox_events`)
    const before = await rowsTouched()
    const outbox = makeOutbox(one, deliveryLimits)
    const { runs, more } = await outbox.claim(32)
    await outbox.settle(runs.map((run) => ({ run, delivered: run.events, dead: [], next: { type: 'due' } })))
    const touched = (await rowsTouched()) - before
    await one.close()
    expect(runs.map(({ events }) => events.length)).toEqual([deliveryLimits.runEvents])
    expect(more).toBe(true)
    // 32 due events are looked at, placed and written; a run of 50 is read and removed.
    expect(touched).toBeLessThan(1_000)
  })
})

it('the oldest event of a subject is due before the events behind it', async () => {
  const outbox = makeOutbox(db, { ...deliveryLimits, lease: 100 })
  const subject = uuidv7()
  const ids = await write({ subject }, { subject }, { subject })
  await outbox.claim(10)
  const [head, ...rest] = await left(ids)
  for (const { nextAttemptAt } of rest) expect(nextAttemptAt.getTime()).toBeGreaterThan(head?.nextAttemptAt.getTime() ?? Number.NaN)
})

it('delivers an event that becomes due between the last claim and the scheduling of the next one', async () => {
  const outbox = makeOutbox(db, deliveryLimits)
  expect(await outbox.untilNext()).toBeUndefined()
  await write({ deadAt: new Date() }, { nextAttemptAt: new Date(Date.now() + 60_000) })
  const wait = (await outbox.untilNext()) ?? 0
  expect(wait).toBeGreaterThan(50_000)
  expect(wait).toBeLessThanOrEqual(60_000)
  await write({ nextAttemptAt: new Date(Date.now() - 1_000) })
  expect(await outbox.untilNext()).toBe(0)
})
