import { afterAll, describe, expect, inject, it } from 'vitest'
import { createDb } from './index.ts'
import { makeStatementNames } from './statements.ts'

describe('the names of statements', () => {
  it('are the same for the same text, and others for others', () => {
    const nameOf = makeStatementNames()
    const [first, second] = [nameOf({ sql: 'SELECT 1' }), nameOf({ sql: 'SELECT 2' })]
    expect(first).not.toBe('')
    expect(second).not.toBe(first)
    expect(nameOf({ sql: 'SELECT 1' })).toBe(first)
  })

  it('are not given to a statement with a limit', () => {
    expect(makeStatementNames()({ sql: 'SELECT id FROM todos\nLIMIT $1' })).toBe('')
    expect(makeStatementNames()({ sql: 'SELECT limited FROM todos' })).not.toBe('')
  })

  it('run out, and what has one keeps it', () => {
    const nameOf = makeStatementNames()
    const names = Array.from({ length: 200 }, (_, index) => nameOf({ sql: `SELECT ${index}` }))
    expect(new Set(names.filter((name) => name !== '')).size).toBe(100)
    expect(nameOf({ sql: 'SELECT 0' })).toBe(names[0])
  })

  it('are not used up by statements that get none', () => {
    const nameOf = makeStatementNames()
    for (let index = 0; index < 200; index++) nameOf({ sql: `SELECT ${index} LIMIT 1` })
    expect(nameOf({ sql: 'SELECT 1' })).not.toBe('')
  })
})

describe('a session', () => {
  const kept = (url: string) => {
    const db = createDb({ url, poolSize: 1 })
    afterAll(() => db.$disconnect())
    return async () => {
      for (const id of [1, 2]) await db.$queryRaw`SELECT ${id}::int AS kept`
      const rows = await db.$queryRaw<{ statement: string }[]>`SELECT statement FROM pg_prepared_statements`
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
