// The port against a real server: types, prepared statements, the pool that both sides share, and errors.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createDb, type Db, type DbOptions } from './database.ts'
import { databaseFailure } from './failure.ts'
import { instant, join, raw, sql } from './sql.ts'

let db: Db
beforeAll(() => {
  db = createDb({ url: inject('databaseUrl'), checkRows: true })
})
afterAll(() => db.close())

function newDb(options: Partial<DbOptions> = {}): Db {
  const other = createDb({ url: inject('databaseUrl'), poolSize: 1, checkRows: true, ...options })
  onTestFinished(() => other.close())
  return other
}

/** The same database as a transaction pooler shows it: no start-up options, so the session keeps the server's time zone. */
const pooledUrl = () => `${inject('databaseUrl')}?pgbouncer=true`
const Prepared = z.strictObject({ name: z.string(), statement: z.string() })
const preparedBy = (session: Db) => session.query(sql`SELECT name, statement FROM pg_prepared_statements ORDER BY name`, Prepared)
const One = z.strictObject({ one: z.int() })

describe('the types of a row', () => {
  it('reads a 64-bit integer beyond 2^53 without rounding', async () => {
    const rows = await db.query(sql`SELECT 9007199254740993::int8 AS big`, z.strictObject({ big: z.bigint() }))
    expect(rows).toEqual([{ big: 9007199254740993n }])
  })

  it('writes a 64-bit integer beyond 2^53 without rounding', async () => {
    const rows = await db.query(sql`SELECT ${9007199254740993n}::int8::text AS big`, z.strictObject({ big: z.string() }))
    expect(rows).toEqual([{ big: '9007199254740993' }])
  })

  it('reads a day, a time and a timestamp without zone as text, regardless of the zone of the process', async () => {
    const Row = z.strictObject({ day: z.string(), time: z.string(), local: z.string() })
    const rows = await db.query(
      sql`SELECT '2027-01-15'::date AS day, '09:30'::time(0) AS time, '2027-01-15 09:30'::timestamp AS local`,
      Row,
    )
    expect(rows).toEqual([{ day: '2027-01-15', time: '09:30:00', local: '2027-01-15 09:30:00' }])
  })

  it('reads arrays, JSON and null', async () => {
    const Row = z.strictObject({ tags: z.array(z.string()), data: z.json(), nothing: z.null() })
    const rows = await db.query(sql`SELECT ${['a', 'b "c"', '{}']}::text[] AS tags, '{"a":[1]}'::jsonb AS data, NULL AS nothing`, Row)
    expect(rows).toEqual([{ tags: ['a', 'b "c"', '{}'], data: { a: [1] }, nothing: null }])
  })

  it.each([
    ['a session of our own', () => inject('databaseUrl')],
    ['a pooler, whose sessions keep the time zone of the server', pooledUrl],
  ])('moves a point in time there and back unchanged through %s', async (_, url) => {
    const session = newDb({ url: url() })
    if (url === pooledUrl) await session.execute(sql`SET TIME ZONE 'Asia/Kolkata'`)
    const at = new Date('2027-01-10T08:15:30.123Z')
    const rows = await session.query(
      sql`SELECT ${instant(at)} AS at, ${at}::timestamptz AS bare`,
      z.strictObject({ at: z.date(), bare: z.date() }),
    )
    expect(rows).toEqual([{ at, bare: at }])
  })

  it('rejects a row of another shape than its schema, where rows are checked', async () => {
    await expect(db.query(sql`SELECT 1 AS two`, One)).rejects.toThrow(z.ZodError)
    await expect(newDb({ checkRows: false }).query(sql`SELECT 1 AS two`, One)).resolves.toEqual([{ two: 1 }])
  })

  it('returns a checked row unchanged, also when its schema would transform it', async () => {
    const rows = await db.query(sql`SELECT ' x ' AS text`, z.strictObject({ text: z.string().trim() }))
    expect(rows).toEqual([{ text: ' x ' }])
  })

  it('rejects a statement with an undefined parameter instead of writing NULL', async () => {
    await expect(db.execute(sql`SELECT ${undefined}::text`)).rejects.toThrow(TypeError)
  })
})

describe('a statement', () => {
  it('passes every value as a parameter, never as SQL', async () => {
    const hostile = `'; DROP TABLE todos; --`
    const rows = await db.query(
      sql`SELECT ${hostile}::text AS text WHERE ${join([sql`true`, sql`${1} = ${1}`], ' AND ')}`,
      z.strictObject({ text: z.string() }),
    )
    expect(rows).toEqual([{ text: hostile }])
  })

  it('counts the rows that it affects', async () => {
    await expect(db.execute(sql`SELECT * FROM generate_series(1, 3)`)).resolves.toBe(3)
    await expect(db.execute(sql`DELETE FROM todos WHERE false`)).resolves.toBe(0)
  })

  it('stays prepared on its connection when it runs again with other values', async () => {
    const session = newDb()
    for (const n of [1, 2]) await session.query(sql`SELECT ${n}::int AS one`, One)
    expect((await preparedBy(session)).filter(({ statement }) => statement.includes('$1::int AS one'))).toHaveLength(1)
  })

  it('is never prepared behind a transaction pooler', async () => {
    const session = newDb({ url: pooledUrl() })
    await session.query(sql`SELECT ${1}::int AS one`, One)
    expect(await preparedBy(session)).toEqual([])
  })

  it('is never prepared with a LIMIT, whose generic plan ignores its value', async () => {
    const session = newDb()
    await session.query(sql`SELECT ${1}::int AS one LIMIT ${1}`, One)
    expect((await preparedBy(session)).filter(({ statement }) => statement.includes('LIMIT'))).toEqual([])
  })
})

describe('the model API', () => {
  it('shares the one pool with the statements', async () => {
    const session = newDb()
    const Pid = z.strictObject({ pid: z.int() })
    const [ours] = await session.query(sql`SELECT pg_backend_pid() AS pid`, Pid)
    const theirs = await (await session.prisma()).$queryRaw`SELECT pg_backend_pid() AS pid`
    expect(theirs).toEqual([ours])
  })

  it('shares the prepared statements with the statements, without a clash of names', async () => {
    const session = newDb()
    const client = await session.prisma()
    await session.query(sql`SELECT ${1}::int AS one`, One)
    await client.user.findFirst({ where: { id: 'x' } })
    await session.query(sql`SELECT ${1}::int + 1 AS one`, One)
    await client.user.findFirst({ where: { id: 'y' } })
    const names = (await preparedBy(session)).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it('is loaded once, however many ask at the same time', async () => {
    const session = newDb()
    const [one, two] = await Promise.all([session.prisma(), session.prisma()])
    expect(one).toBe(two)
  })
})

describe('an error', () => {
  it.each([
    ['unique', sql`INSERT INTO users (id, issuer) SELECT 'same', 'x' FROM generate_series(1, 2)`, 'users_pkey'],
    ['foreign key', sql`INSERT INTO todos (id, user_id, title) VALUES (${randomUUID()}::uuid, 'nobody', 'x')`, 'todos_user_id_fkey'],
    ['check', sql`INSERT INTO users (id) VALUES ('neither')`, 'users_local_or_foreign'],
  ])('names the %s constraint that refused the change', async (_, statement, constraint) => {
    const error = await db.execute(statement).catch((reason) => reason)
    expect(databaseFailure(error)).toEqual({ kind: 'constraint', constraint })
  })

  it.each(['40001', '40P01'])('is contention for SQLSTATE %s', async (state) => {
    const error = await db
      .execute(sql`${raw(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${state}'; END $$`)}`)
      .catch((reason) => reason)
    expect(databaseFailure(error)).toEqual({ kind: 'contention' })
  })

  it.each(['53300', '57P01', '08006', '55P03'])('is unavailable for SQLSTATE %s', async (state) => {
    const error = await db
      .execute(sql`${raw(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${state}'; END $$`)}`)
      .catch((reason) => reason)
    expect(databaseFailure(error)).toMatchObject({ kind: 'unavailable' })
  })

  it('is unavailable when no connection can be made', async () => {
    const away = newDb({ url: 'postgresql://todo@127.0.0.1:1/todo' })
    expect(databaseFailure(await away.execute(sql`SELECT 1`).catch((reason) => reason))).toMatchObject({ kind: 'unavailable' })
  })

  it('is unavailable when the server ends the connection under a statement, and the next statement gets a new one', async () => {
    const session = newDb()
    const error = await session.execute(sql`SELECT pg_terminate_backend(pg_backend_pid())`).catch((reason) => reason)
    expect(databaseFailure(error)).toMatchObject({ kind: 'unavailable' })
    await expect(session.query(sql`SELECT 1 AS one`, One)).resolves.toEqual([{ one: 1 }])
  })

  it('of an idle connection is reported and breaks nothing', async () => {
    const errors: Error[] = []
    const session = newDb({ onConnectionError: (error) => errors.push(error) })
    const [{ pid } = { pid: 0 }] = await session.query(sql`SELECT pg_backend_pid() AS pid`, z.strictObject({ pid: z.int() }))
    await db.execute(sql`SELECT pg_terminate_backend(${pid}::int)`)
    await expect.poll(() => errors.length).toBeGreaterThan(0)
    await expect(session.query(sql`SELECT 1 AS one`, One)).resolves.toEqual([{ one: 1 }])
  })
})
