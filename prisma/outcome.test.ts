// Which errors leave the outcome of a statement open: each is brought about on a real server.

import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { startDatabaseProxy } from '../shared/testing/proxy.ts'
import { createDb, type Db, outcomeUnknown, raw, sql } from './index.ts'

let url: string
beforeAll(() => {
  url = inject('databaseUrl')
})

function newDb(to = url): Db {
  const db = createDb({ url: to, poolSize: 1 })
  onTestFinished(() => db.close())
  return db
}
const withParameter = (name: string, value: string) => {
  const to = new URL(url)
  to.searchParams.set(name, value)
  return to.href
}

/** Whether the rejection of `work` leaves the outcome open; fails when there is none. */
async function unknownAfter(work: Promise<unknown>): Promise<boolean> {
  const error = await work.then(
    () => expect.fail('it did not fail'),
    (reason) => reason,
  )
  return outcomeUnknown(error)
}
const raising = (state: string) => newDb().execute(raw(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${state}'; END $$`))

describe('the outcome is unknown', () => {
  it('when the connection is cut after the statement ran', async () => {
    const proxy = await startDatabaseProxy(url)
    onTestFinished(proxy.stop)
    const name = `user-${randomUUID()}`
    const met = proxy.fail('INSERT INTO users', 'cut')
    const db = newDb(proxy.url)
    const insert = db.execute(
      sql`INSERT INTO users (id, email, username, username_key, password_hash) VALUES (${name}, ${name}, ${name}, ${name}, 'x')`,
    )
    expect(await unknownAfter(insert)).toBe(true)
    await met
    expect(await (await newDb().prisma()).user.count({ where: { id: name } })).toBe(1)
  })

  it('when no answer comes in time', async () => {
    expect(await unknownAfter(newDb(withParameter('query_timeout', '100')).query(sql`SELECT pg_sleep(3)::text`, z.unknown()))).toBe(true)
  })

  it('when the server ends the session under the statement', async () => {
    expect(
      await unknownAfter(newDb().query(sql`SELECT pg_terminate_backend(pg_backend_pid())::text, pg_sleep(5)::text`, z.unknown())),
    ).toBe(true)
  })

  it.each(['08006', '08007', '40003', '57P01', '57P02'])('for SQLSTATE %s', async (state) => {
    expect(await unknownAfter(raising(state))).toBe(true)
  })

  it.each([new Error('x'), new TypeError('undefined is not a function'), Object.assign(new Error('x'), { code: 'EPIPE' }), undefined])(
    'for an error of unknown shape: %s',
    (error) => {
      expect(outcomeUnknown(error)).toBe(true)
    },
  )
})

describe('the statement certainly had no effect', () => {
  it.each(['23505', '22P02', '25006', '40001', '40P01', '42P01', '53300', '55P03', '57014', 'P0001'])(
    'after SQLSTATE %s',
    async (state) => {
      expect(await unknownAfter(raising(state))).toBe(false)
    },
  )

  it('when a constraint refused it through the model API', async () => {
    const work = (await newDb().prisma()).todo.create({ data: { id: randomUUID(), userId: 'nobody', title: 'x' } })
    expect(await unknownAfter(work)).toBe(false)
  })

  it('when the server cancelled it because it took too long', async () => {
    const db = newDb()
    await db.execute(sql`SET statement_timeout = 20`)
    expect(await unknownAfter(db.query(sql`SELECT pg_sleep(5)::text`, z.unknown()))).toBe(false)
  })

  it('when no server listens', async () => {
    expect(await unknownAfter(newDb('postgresql://todo@127.0.0.1:1/todo').query(sql`SELECT 1`, z.unknown()))).toBe(false)
    expect(await unknownAfter((await newDb('postgresql://todo@127.0.0.1:1/todo').prisma()).user.findFirst())).toBe(false)
  })

  it('when it got no connection of the pool', async () => {
    const small = newDb()
    const busy = small.query(sql`SELECT pg_sleep(6)::text`, z.unknown()).then(() => 'done')
    expect(await unknownAfter(small.query(sql`SELECT 1`, z.unknown()))).toBe(false)
    await busy
  })
})
