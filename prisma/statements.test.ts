import { afterAll, describe, expect, inject, it } from 'vitest'
import { z } from 'zod'
import { createDb, sql } from './index.ts'
import { createStatementNames } from './statements.ts'

describe('the names of statements', () => {
  it('are the same for the same text, and others for others', () => {
    const nameOf = createStatementNames()
    const [first, second] = [nameOf({ sql: 'SELECT 1' }), nameOf({ sql: 'SELECT 2' })]
    expect(first).not.toBe('')
    expect(second).not.toBe(first)
    expect(nameOf({ sql: 'SELECT 1' })).toBe(first)
  })

  it('are not given to a statement with a limit', () => {
    expect(createStatementNames()({ sql: 'SELECT id FROM todos\nLIMIT $1' })).toBe('')
    expect(createStatementNames()({ sql: 'SELECT limited FROM todos' })).not.toBe('')
  })

  it('run out, and what has one keeps it', () => {
    const nameOf = createStatementNames()
    const names = Array.from({ length: 200 }, (_, index) => nameOf({ sql: `SELECT ${index}` }))
    expect(new Set(names.filter((name) => name !== '')).size).toBe(100)
    expect(nameOf({ sql: 'SELECT 0' })).toBe(names[0])
  })

  it('are not used up by statements that get none', () => {
    const nameOf = createStatementNames()
    for (let index = 0; index < 200; index++) nameOf({ sql: `SELECT ${index} LIMIT 1` })
    expect(nameOf({ sql: 'SELECT 1' })).not.toBe('')
  })
})

describe('a session', () => {
  const kept = (url: string) => {
    const db = createDb({ url, poolSize: 1 })
    afterAll(() => db.close())
    return async () => {
      for (const id of [1, 2]) await db.query(sql`SELECT ${id}::int AS kept`, z.unknown())
      const rows = await db.query(sql`SELECT statement FROM pg_prepared_statements`, z.object({ statement: z.string() }))
      return rows.filter(({ statement }) => statement.includes('AS kept')).length
    }
  }

  it('keeps what is asked twice', async () => {
    expect(await kept(inject('databaseUrl'))()).toBe(1)
  })

  it('of a pooler keeps nothing', async () => {
    expect(await kept(`${inject('databaseUrl')}?pgbouncer=true`)()).toBe(0)
  })
})
