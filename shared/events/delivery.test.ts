import { createDb } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, describe, expect, it } from 'vitest'
import { newOutboxDatabase, startSink } from '../testing-events.ts'
import { type DeliveryLimits, type DeliveryNews, deliveryLimits, makeDelivery } from './delivery.ts'
import { httpSink, type Send } from './sink.ts'

const url = await newOutboxDatabase()
const db = createDb({ url, poolSize: 10 })
afterAll(() => db.$disconnect())

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
type Row = Partial<{ subject: string; type: string; traceparent: string; attempts: number; nextAttemptAt: Date; deadAt: Date }>

/** Writes events as they would be written by changes, one after the other; returns their ids. */
async function write(...rows: Row[]): Promise<string[]> {
  const ids = rows.map(() => uuidv7())
  for (const [index, row] of rows.entries())
    await db.outboxEvent.create({
      data: { id: ids[index] ?? '', userId: 'someone', subject: uuidv7(), type: 'todo.created', data: { title: 'Müsli' }, ...row },
    })
  return ids
}
const left = (ids: string[]) => db.outboxEvent.findMany({ where: { id: { in: ids } }, orderBy: { sequence: 'asc' } })

/** One of several replicas. `news` is what it would have logged. */
function newReplica(send: Send, limits: Partial<DeliveryLimits> = {}) {
  const news: DeliveryNews[] = []
  return { ...makeDelivery({ db, send, report: (each) => news.push(each), limits: { ...deliveryLimits, ...limits } }), news }
}
const soon = 20_000
const PATIENT = { timeout: 10_000, interval: 20 }

// One outbox for all of them: what one leaves behind, another would find.
describe('a delivery', () => {
  it('is a CloudEvent in binary mode, and leaves nothing behind', async () => {
    const sink = await startSink()
    const [id = ''] = await write({ subject: 'a', traceparent: TRACEPARENT })
    const replica = newReplica(httpSink(sink.url, { cluster: 'blü "1"%' }))
    replica.nudge()
    await expect.poll(() => left([id]), PATIENT).toEqual([])
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
    // A replica may find everything taken and go; whoever delivers last goes on until nothing is left.
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
})
