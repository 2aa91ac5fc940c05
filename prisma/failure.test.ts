// Errors of both sides of the port when a database fails: each test makes a real server fail.

import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { type EmbeddedServer, startEmbedded } from './embedded.ts'
import { createDb, type Db, databaseFailure, sql } from './index.ts'

let db: Db
beforeAll(() => {
  db = createDb({ url: inject('databaseUrl') })
})
afterAll(() => db.close())

const newUser = () => {
  const name = `user-${randomUUID()}`
  return { id: name, email: `${name}@example.com`, username: name, usernameKey: name, passwordHash: 'x' }
}

/** What databaseFailure says of the rejection; fails when there is none, or when it is none of the database's. */
async function failureOf(work: Promise<unknown>) {
  const error = await work.then(
    () => expect.fail('it did not fail'),
    (reason) => reason,
  )
  return databaseFailure(error) ?? expect.fail(`not recognised: ${error}`)
}

function otherDb(url = inject('databaseUrl'), poolSize = 1) {
  const other = createDb({ url, poolSize })
  onTestFinished(() => other.close())
  return other
}

describe('a constraint', () => {
  it.each([
    [
      'unique, by model',
      async () =>
        (await db.prisma()).user.createMany({ data: [newUser(), newUser()].map((user) => ({ ...user, email: 'same@example.com' })) }),
      'users_email_key',
    ],
    [
      'check, before it is unique',
      () => db.execute(sql`INSERT INTO users (id) SELECT 'same' FROM generate_series(1, 2)`),
      'users_local_or_foreign',
    ],
    [
      'primary key, by SQL',
      () => db.execute(sql`INSERT INTO users (id, issuer) SELECT 'same', 'x' FROM generate_series(1, 2)`),
      'users_pkey',
    ],
    [
      'primary key, by SQL through the model API',
      async () => (await db.prisma()).$executeRaw`INSERT INTO users (id, issuer) SELECT 'same', 'x' FROM generate_series(1, 2)`,
      'users_pkey',
    ],
    [
      'check, by SQL through the model API',
      async () => (await db.prisma()).$executeRaw`INSERT INTO users (id) VALUES ('neither')`,
      'users_local_or_foreign',
    ],
    [
      'foreign key, by model',
      async () => (await db.prisma()).todo.create({ data: { id: randomUUID(), userId: 'nobody', title: 'x' } }),
      'todos_user_id_fkey',
    ],
    [
      'foreign key, by SQL',
      () => db.execute(sql`INSERT INTO todos (id, user_id, title) VALUES (gen_random_uuid(), 'nobody', 'x')`),
      'todos_user_id_fkey',
    ],
    [
      'check, by model',
      async () => (await db.prisma()).todo.create({ data: { id: randomUUID(), userId: 'nobody', title: 'x', priority: 9 } }),
      'todos_priority_range',
    ],
    [
      'check, by SQL',
      () => db.execute(sql`INSERT INTO todos (id, user_id, title, due_time) VALUES (gen_random_uuid(), 'nobody', 'x', '09:30')`),
      'todos_due_time_needs_date',
    ],
  ])('is named: %s', async (_, violate, constraint) => {
    expect(await failureOf(violate())).toEqual({ kind: 'constraint', constraint })
  })
})

describe('contention', () => {
  it('is a deadlock', async () => {
    const [a, b] = [newUser(), newUser()]
    await (await db.prisma()).user.createMany({ data: [a, b] })
    const locked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const rename = async (first: string, second: string, mine: 0 | 1) =>
      (await otherDb().prisma()).$transaction(async (tx) => {
        await tx.user.update({ where: { id: first }, data: { username: 'x' } })
        locked[mine].resolve()
        await locked[mine === 0 ? 1 : 0].promise
        await tx.user.update({ where: { id: second }, data: { username: 'x' } })
      })
    const results = await Promise.allSettled([rename(a.id, b.id, 0), rename(b.id, a.id, 1)])
    const [lost] = results.filter((result) => result.status === 'rejected')
    expect(databaseFailure(lost?.reason)).toEqual({ kind: 'contention' })
  })

  it('is a serialization failure', async () => {
    const user = newUser()
    await (await db.prisma()).user.create({ data: user })
    const work = (await otherDb().prisma()).$transaction(
      async (tx) => {
        await tx.user.findUnique({ where: { id: user.id } })
        await (await db.prisma()).user.update({ where: { id: user.id }, data: { username: 'first' } })
        await tx.user.update({ where: { id: user.id }, data: { username: 'second' } })
      },
      { isolationLevel: 'Serializable' },
    )
    expect(await failureOf(work)).toEqual({ kind: 'contention' })
  })
})

describe('unavailable', () => {
  const unavailable = { kind: 'unavailable' }

  it('is a statement, or a lock, that takes too long', async () => {
    const slow = otherDb()
    await slow.execute(sql`SET statement_timeout = 20`)
    expect(await failureOf(slow.query(sql`SELECT pg_sleep(5)::text`, z.unknown()))).toEqual(unavailable)
    await slow.execute(sql`SET statement_timeout = 0`)
    await slow.execute(sql`SET lock_timeout = 20`)
    const user = newUser()
    await (await db.prisma()).user.create({ data: user })
    await (await db.prisma()).$transaction(async (tx) => {
      await tx.user.update({ where: { id: user.id }, data: { username: 'x' } })
      expect(await failureOf((await slow.prisma()).user.delete({ where: { id: user.id } }))).toEqual(unavailable)
    })
  })

  it('is a server that takes no writes', async () => {
    const standby = otherDb()
    await standby.execute(sql`SET default_transaction_read_only = on`)
    expect(await failureOf((await standby.prisma()).user.create({ data: newUser() }))).toEqual(unavailable)
    await standby.execute(sql`SET default_transaction_read_only = on`)
    expect(await failureOf(standby.execute(sql`DELETE FROM users WHERE false`))).toEqual(unavailable)
  })

  it('is a connection that is killed at work, or while it idles; the next query gets a new one', async () => {
    const victim = otherDb()
    const pid = async () => (await victim.query(sql`SELECT pg_backend_pid() AS pid`, z.object({ pid: z.number() })))[0]?.pid
    const work = failureOf(victim.query(sql`SELECT pg_terminate_backend(pg_backend_pid())::text, pg_sleep(5)::text`, z.unknown()))
    expect(await work).toEqual(unavailable)
    const idle = await pid()
    await db.query(sql`SELECT pg_terminate_backend(${idle}::int, 5000)`, z.unknown())
    const next = await pid().catch((error) => databaseFailure(error))
    if (typeof next === 'number') expect(next).not.toBe(idle)
    else expect(next).toEqual(unavailable)
    expect(await pid()).not.toBe(idle)
  })

  it('is a pool with nothing left, and a transaction that gets no connection', async () => {
    const small = otherDb()
    const model = await small.prisma()
    await model.$transaction(
      async () => {
        expect(await failureOf(small.query(sql`SELECT 1`, z.unknown()))).toEqual(unavailable)
      },
      { timeout: 20_000 },
    )
    await model.$transaction(async () => {
      expect(await failureOf(model.$transaction(async () => {}, { maxWait: 50 }))).toEqual(unavailable)
    })
  })

  it('is a server that refuses, that stops, or that was never there', async () => {
    const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-failure-'))
    await fs.chmod(directory, 0o711)
    let server: EmbeddedServer | undefined
    onTestFinished(async () => {
      await server?.stop()
      await fs.rm(directory, { recursive: true })
    })
    server = await startEmbedded({
      directory: path.join(directory, 'postgres'),
      durable: false,
      settings: { max_connections: '3', superuser_reserved_connections: '0', shared_buffers: '1MB' },
    })
    const url = await server.database('todo')
    const all = [otherDb(url), otherDb(url), otherDb(url)] as const
    await Promise.all(all.map((holder) => holder.query(sql`SELECT 1`, z.unknown())))
    expect(await failureOf(otherDb(url).query(sql`SELECT 1`, z.unknown()))).toEqual(unavailable)

    const cut = failureOf(all[0].query(sql`SELECT pg_sleep(20)::text`, z.unknown()))
    while ((await all[1].query(sql`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`, z.unknown())).length === 0);
    await server.stop()
    expect(await cut).toEqual(unavailable)
    expect(await failureOf(all[1].query(sql`SELECT 1`, z.unknown()))).toEqual(unavailable)
    expect(await failureOf((await otherDb(url).prisma()).user.findFirst())).toEqual(unavailable)
  })
})

describe('what is not the database’s fault', () => {
  it('stays what it is', async () => {
    const wrong = await db.query(sql`SELECT nothing FROM nowhere`, z.unknown()).catch((error) => error)
    expect(wrong).toBeInstanceOf(Error)
    for (const other of [wrong, new Error('x'), new TypeError('timeout'), null, undefined, 'ECONNREFUSED', {}]) {
      expect(databaseFailure(other)).toBeUndefined()
    }
  })
})
