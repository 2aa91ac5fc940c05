// What lists show, in which order, and what a cursor may say.
import { randomUUID } from 'node:crypto'
import { createDb, raw } from '@todo/prisma'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { UserContext } from '../core/context.ts'
import { contextOf, newUser, testDeps } from '../testing/context.ts'
import { CreateTodo, ListTodos, sorts, type Todo } from './schema.ts'
import { completeTodo, createTodo, listTodos, updateTodo } from './todos.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

async function newOwner(inputs: readonly object[] = []): Promise<UserContext> {
  const ctx = contextOf(world.deps, await newUser(world))
  for (const input of inputs) await createTodo(ctx, CreateTodo.parse({ title: 'x', ...input }))
  return ctx
}

const list = (ctx: UserContext, input: object = {}) => listTodos(ctx, ListTodos.parse(input))
const titles = async (ctx: UserContext, input: object) => (await list(ctx, { sort: 'created', ...input })).todos.map(({ title }) => title)

/** All pages, one behind the other. */
async function walk(ctx: UserContext, input: object): Promise<Todo[]> {
  const page = await list(ctx, input)
  expect(page.count).toBe(page.todos.length)
  return page.next_cursor === null ? page.todos : [...page.todos, ...(await walk(ctx, { ...input, cursor: page.next_cursor }))]
}

describe('filters', () => {
  let ctx: UserContext
  beforeAll(async () => {
    ctx = await newOwner([
      { title: 'plain' },
      { title: 'low', priority: 'low', tags: ['a', 'b'], due_date: '2027-01-14' },
      { title: 'high', priority: 'high', tags: ['b'], due_date: '2027-01-15', due_time: '23:59' },
      { title: 'done', completed: true, tags: ['A'], due_date: '2027-01-16' },
    ])
    const theirs = await newOwner([{ title: 'theirs', priority: 'low', tags: ['a'], due_date: '2027-01-15' }])
    expect((await list(theirs)).count).toBe(1)
  })

  it.each([
    [{}, ['plain', 'low', 'high', 'done']],
    [{ status: 'all' }, ['plain', 'low', 'high', 'done']],
    [{ status: 'pending' }, ['plain', 'low', 'high']],
    [{ status: 'completed' }, ['done']],
    [{ priority: 'low' }, ['low']],
    [{ priority: 'medium' }, []],
    [{ tag: 'a' }, ['low']],
    [{ tag: ' b ' }, ['low', 'high']],
    [{ tag: 'A' }, ['done']],
    [{ tag: '{a,b}' }, []],
    [{ due_before: '2027-01-15' }, ['low']],
    [{ due_before: '2027-01-16' }, ['low', 'high']],
    [{ due_after: '2027-01-15' }, ['done']],
    [{ due_after: '2027-01-14' }, ['high', 'done']],
    [{ due_after: '2027-01-14', due_before: '2027-01-16' }, ['high']],
    [{ due_after: '2027-01-16', due_before: '2027-01-14' }, []],
    [{ due_after: '0001-01-01', due_before: '9999-12-31' }, ['low', 'high', 'done']],
    [{ due_after: '9999-12-31' }, []],
    [{ tag: 'b', priority: 'high', status: 'pending', q: 'HI' }, ['high']],
  ])('%j shows %j, in every sort', async (filter, expected) => {
    expect(await titles(ctx, filter)).toEqual(expected)
    for (const sort of sorts) expect(new Set(await titles(ctx, { ...filter, sort }))).toEqual(new Set(expected))
  })

  it('find a timed todo at midnight on its own day', async () => {
    const midnight = await newOwner([
      { title: 'midnight', due_date: '2027-01-15', due_time: '00:00' },
      { title: 'day before', due_date: '2027-01-14' },
    ])
    for (const sort of ['due', '-due', 'created']) {
      expect(await titles(midnight, { sort, due_after: '2027-01-14' })).toEqual(['midnight'])
      expect(await titles(midnight, { sort, due_before: '2027-01-15' })).toEqual(['day before'])
    }
  })
})

describe('q', () => {
  let ctx: UserContext
  const texts = [
    '100% sure',
    '100 sure',
    'snake_case',
    'snakeXcase',
    'C:\\temp',
    'C:temp',
    'Ärger in der Straße',
    'ΟΔΟΣ',
    'οδός',
    'Ёлка',
    'İstanbul',
    '日本語のテスト',
    'a👍🏽b',
  ]
  beforeAll(async () => {
    ctx = await newOwner([...texts.map((title) => ({ title })), { title: 'described', description: 'Über\nalles' }])
  })

  it.each([
    ['%', ['100% sure']],
    ['100%', ['100% sure']],
    ['_', ['snake_case']],
    ['E_C', ['snake_case']],
    ['\\', ['C:\\temp']],
    ['\\t', ['C:\\temp']],
    ['%%', []],
    ["' OR 1=1 --", []],
    ['SURE', ['100% sure', '100 sure']],
    ['ärger', ['Ärger in der Straße']],
    ['ÄRGER', ['Ärger in der Straße']],
    ['STRASSE', ['Ärger in der Straße']],
    ['οδοσ', ['ΟΔΟΣ']],
    ['οδος', ['ΟΔΟΣ']],
    ['ёл', ['Ёлка']],
    ['İST', ['İstanbul']],
    ['本語', ['日本語のテスト']],
    ['👍🏽B', ['a👍🏽b']],
    ['über', ['described']],
    ['ÜBER\nAL', ['described']],
    ['describedÜ', []],
  ])('%j finds %j', async (q, expected) => {
    expect(await titles(ctx, { q })).toEqual(expected)
  })

  it('finds everything when it is empty or blank', async () => {
    for (const q of ['', '  ']) expect(await titles(ctx, { q })).toHaveLength(texts.length + 1)
  })
})

describe('sorts', () => {
  /** In the order of the sort, ties in the order they were made in: then `-` is exactly the other way round. */
  const orders = {
    title: ['!', '😀', '0', '10', '9', 'äpfel', 'apple', 'Apple', 'Äpple', 'banana', 'Zebra', 'же', '日本'].map((title) => ({ title })),
    due: [
      { due_date: '0001-01-01' },
      { due_date: '2026-12-31', due_time: '23:59' },
      { due_date: '2027-01-15', due_time: '09:30' },
      { due_date: '2027-01-15' },
      { due_date: '2027-01-16', due_time: '00:00' },
      { due_date: '2027-01-16', due_time: '00:01' },
      { due_date: '9999-12-31' },
      {},
      {},
    ],
    priority: [{}, { priority: null }, { priority: 'low' }, { priority: 'medium' }, { priority: 'medium' }, { priority: 'high' }],
  }

  it.each(['due', 'priority', 'title'] as const)('by %s, both ways, ties by age', async (sort) => {
    const ctx = await newOwner()
    const ids: string[] = []
    for (const input of orders[sort]) ids.push((await createTodo(ctx, CreateTodo.parse({ title: 'x', ...input }))).id)
    const idsOf = (todos: Todo[]) => todos.map(({ id }) => id)
    for (const limit of [500, 1, 2]) {
      expect(idsOf(await walk(ctx, { sort, limit }))).toEqual(ids)
      expect(idsOf(await walk(ctx, { sort: `-${sort}`, limit }))).toEqual(ids.toReversed())
    }
  })

  it('by created and by updated, both ways, with all of them in one millisecond too', async () => {
    const user = await newUser(world)
    const still = contextOf(world.deps, user, () => new Date('2027-01-10T12:00:00.000Z'))
    const ids: string[] = []
    for (const title of ['a', 'b', 'c', 'd']) ids.push((await createTodo(still, { title })).id)
    for (const sort of ['created', 'updated']) {
      expect((await walk(still, { sort, limit: 1 })).map(({ id }) => id)).toEqual(ids)
      expect((await walk(still, { sort: `-${sort}`, limit: 3 })).map(({ id }) => id)).toEqual(ids.toReversed())
    }
    const [first = ''] = ids
    await updateTodo(still, { todo_id: first, title: 'z' })
    expect((await list(still, { sort: '-updated' })).todos[0]).toMatchObject({ id: first, title: 'z' })
    expect(await titles(still, {})).toEqual(['z', 'b', 'c', 'd'])
    expect((await list(still)).todos.map(({ id }) => id)).toEqual(ids.toReversed())
  })
})

describe('cursors', () => {
  const encode = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const id = '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10'
  const refusal = { kind: 'invalid', issues: [{ pointer: '/cursor' }] }

  it.each([
    ['', 'created'],
    ['garbage', 'created'],
    ['%%%', 'created'],
    [encode('null'), 'created'],
    [encode('[]'), 'created'],
    [encode('{"sort":'), 'created'],
    [encode({}), 'created'],
    [encode({ sort: 'created', key: '2027-01-10T12:00:00.000Z', id, more: 1 }), 'created'],
    [encode({ sort: 'created', key: '2027-01-10T12:00:00.000Z', id: 'x' }), 'created'],
    [encode({ sort: 'created', key: ['2027-01-10T12:00:00.000Z'], id }), 'created'],
    [encode({ sort: 'constructor', key: '1', id }), 'created'],
    [encode({ sort: 'title', key: 'x', id }), 'created'],
    [encode({ sort: '-created', key: '2027-01-10T12:00:00.000Z', id }), 'created'],
    ...[
      '2026-99-99T00:00:00Z',
      '2026-02-30T00:00:00Z',
      'infinity',
      '-infinity',
      'now',
      'epoch',
      '0000-01-01T00:00:00Z',
      '294277-01-01T00:00:00Z',
      '+010000-01-01T00:00:00Z',
      '2027-01-10T12:00:00+99:00',
      '2027-01-10',
      "2027-01-10' OR 1=1 --",
      '',
    ].flatMap((key) => ['created', '-updated'].map((sort) => [encode({ sort, key, id }), sort])),
    ...[
      '2026-99-99 00:00',
      '2026-02-30 24:00',
      '-infinity',
      'Infinity',
      '0000-01-01 00:00',
      '2027-01-10 24:01',
      '2027-01-10 25:00',
      '2027-01-10',
      'today',
      '',
    ].map((key) => [encode({ sort: 'due', key, id }), 'due']),
    ...['4', '-1', '99999', '1.5', 'NaN', '', '1; DROP TABLE todos'].map((key) => [encode({ sort: 'priority', key, id }), 'priority']),
    ...['\0', 'a\0b', '\ud800', 'x'.repeat(256), ''].map((key) => [encode({ sort: 'title', key, id }), 'title']),
  ])('that no page came with are refused: %s for %s', async (cursor, sort) => {
    await expect(list(await newOwner(), { sort, cursor })).rejects.toMatchObject(refusal)
  })

  it('that were edited into another valid place show the todos behind it', async () => {
    const ctx = await newOwner([{ title: 'a', due_date: '2027-01-15' }, { title: 'b' }])
    for (const [sort, key, expected] of [
      ['created', '0001-01-01T00:00:00.000Z', ['a', 'b']],
      ['created', '9999-12-31T23:59:59.999Z', []],
      ['due', '0001-01-01 00:00', ['a', 'b']],
      ['due', '9999-12-31 24:00', ['b']],
      ['-due', 'infinity', ['a']],
      ['title', "a'; DROP TABLE todos; --", ['b']],
      ['priority', '3', []],
    ] as const) {
      expect(await titles(ctx, { sort, cursor: encode({ sort, key, id: id.replace('019e', '0000') }) })).toEqual(expected)
    }
  })

  it('of another filter show the todos behind them', async () => {
    const ctx = await newOwner([
      { title: 'high', priority: 'high' },
      { title: 'low', priority: 'low' },
    ])
    const last = 'ffffffff-ffff-7fff-bfff-ffffffffffff'
    for (const [sort, key, expected] of [
      ['priority', '2', ['high']],
      ['priority', '3', []],
      ['-priority', '3', ['high']],
      ['-priority', '1', []],
    ] as const) {
      expect(await titles(ctx, { sort, priority: 'high', cursor: encode({ sort, key, id: last }) })).toEqual(expected)
    }
  })

  it('of any content are refused or understood, and never break a list', async () => {
    const ctx = await newOwner([{ title: 'a' }])
    const anyCursor = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.json().map(encode),
      fc
        .record({
          sort: fc.constantFrom(...sorts),
          key: fc.oneof(
            fc.string({ unit: 'binary' }),
            fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
          ),
          id: fc.uuid(),
        })
        .map(encode),
    )
    await fc.assert(
      fc.asyncProperty(anyCursor, fc.constantFrom(...sorts), async (cursor, sort) => {
        await list(ctx, { sort, cursor }).catch((error) => expect(error).toMatchObject(refusal))
      }),
      { numRuns: 300 },
    )
  })

  it('carry the longest titles there are', async () => {
    const long = ['"', '\\', '\u0001', '👍', 'ß', 'a'].map((character) => character.repeat(255))
    const ctx = await newOwner(long.map((title) => ({ title })))
    expect(new Set((await walk(ctx, { sort: 'title', limit: 1 })).map(({ title }) => title))).toEqual(new Set(long))
  })

  it('of one user show another nothing but their own', async () => {
    const [mine, theirs] = [await newOwner([{ title: 'a' }, { title: 'b' }]), await newOwner([{ title: 'c' }])]
    const { next_cursor } = await list(mine, { sort: 'title', limit: 1 })
    expect(await titles(theirs, { sort: 'title', cursor: next_cursor ?? '' })).toEqual(['c'])
  })
})

describe('a server with other habits', () => {
  it('of time zone and date style stores, shows and pages the same', async () => {
    const name = `habits-${randomUUID()}`
    await world.deps.db.execute(raw(`CREATE ROLE "${name}" LOGIN SUPERUSER PASSWORD 'x'`))
    await world.deps.db.execute(raw(`ALTER ROLE "${name}" SET timezone = 'America/New_York'`))
    await world.deps.db.execute(raw(`ALTER ROLE "${name}" SET datestyle = 'SQL, DMY'`))
    const url = Object.assign(new URL(inject('databaseUrl')), { username: name, password: 'x' }).href
    const db = createDb({ url })
    try {
      const utc = contextOf(world.deps, await newUser(world), () => new Date('2027-07-10T12:00:00.000Z'))
      const abroad = { ...utc, db }
      for (const input of [{ due_date: '2027-03-04', due_time: '09:30' }, { due_date: '2027-04-03' }, {}]) {
        const todo = await createTodo(abroad, { title: 'x', ...input })
        expect(todo).toMatchObject({ due_date: null, ...input, created_at: '2027-07-10T12:00:00.000Z' })
        await completeTodo(abroad, { todo_id: todo.id })
      }
      const expected = await walk(utc, { sort: 'due' })
      expect(expected[0]).toMatchObject({ completed_at: '2027-07-10T12:00:00.000Z', updated_at: '2027-07-10T12:00:00.001Z' })
      for (const sort of ['due', 'created', 'updated']) expect(await walk(abroad, { sort, limit: 1 })).toEqual(expected)
    } finally {
      await db.close()
      await world.deps.db.execute(raw(`DROP ROLE "${name}"`))
    }
  })
})
