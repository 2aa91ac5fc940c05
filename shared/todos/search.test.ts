// Searches against a plain look at every todo, over more todos than a search reads in order; and what a search costs, counted in rows.
import { sql } from '@todo/prisma'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { UserContext } from '../core/context.ts'
import { contextOf, newUser, testDeps } from '../testing/context.ts'
import { selectPage } from './pages.ts'
import { ListTodos, sorts, Todo } from './schema.ts'
import { WALKED } from './search.ts'
import { listTodos } from './todos.ts'

const world = testDeps()
const { db } = world.deps
afterAll(() => db.close())

const COUNT = 3 * WALKED
/** Letters whose case changes their length or depends on what is around them, signs that mean something to LIKE, a mark of the index. */
const PIECES = [
  'a',
  'B',
  'ß',
  'ŉ',
  'ſ',
  'ı',
  'Σ',
  'ς',
  'é',
  'e\u0301',
  '日',
  '👍🏽',
  ' ',
  '\n',
  '%',
  '_',
  '\\',
  '\u0001',
  '-',
  "'",
  'needle',
]
const text = (least: number, most: number) =>
  fc.array(fc.constantFrom(...PIECES), { minLength: least, maxLength: most }).map((pieces) => pieces.join(''))
const anyQ = fc.oneof(fc.constantFrom(...PIECES, 'qx', 'le', 'z', 'xylophone', 'a-b'), text(1, 3)).filter((q) => q.trim() !== '')

/** Adds todos by one statement. */
async function fill({ actor: { userId } }: UserContext, texts: { title: string; description: string | null }[]) {
  await db.execute(sql`
    INSERT INTO todos (id, user_id, title, description, completed_at, priority, due_date, created_at, updated_at)
    SELECT gen_random_uuid(), ${userId}, title, description, CASE WHEN n % 3 > 0 THEN now() END, n % 4,
      CASE WHEN n % 2 = 0 THEN CURRENT_DATE + n % 5 END, now() + n % 700 * interval '1 second', now()
    FROM jsonb_to_recordset(${JSON.stringify(texts.map((one, n) => ({ ...one, n })))}::jsonb) AS made(title text, description text, n int)`)
}

/** Every match, in order, by looking at each todo. */
async function naive({ actor: { userId } }: UserContext, q: string, input: object): Promise<string[]> {
  const { sort, status } = ListTodos.parse(input)
  const all = (await db.query(selectPage(userId, { sort, status }, COUNT * 2), Todo)).map(({ id }) => id)
  const rows = await db.query(
    sql`
    SELECT id FROM todos WHERE user_id = ${userId} AND position(
      upper(${q}::text COLLATE "und-x-icu") IN upper((title || E'\n' || COALESCE(description, '')) COLLATE "und-x-icu")) > 0`,
    z.object({ id: z.string() }),
  )
  const matches = new Set(rows.map(({ id }) => id))
  return all.filter((id) => matches.has(id))
}

async function paged(ctx: UserContext, input: object): Promise<string[]> {
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await listTodos(ctx, ListTodos.parse({ ...input, cursor }))
    seen.push(...page.todos.map(({ id }) => id))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  return seen
}

describe('a search among more todos than it reads in order', () => {
  let ctx: UserContext
  beforeAll(async () => {
    ctx = contextOf(world.deps, await newUser(world))
    const texts = fc.sample(fc.record({ title: text(1, 8).filter((title) => title.trim() !== ''), description: fc.option(text(0, 12)) }), {
      numRuns: COUNT,
      seed: 7,
    })
    await fill(ctx, texts)
    // Another user's: not in this user's results.
    await fill(contextOf(world.deps, await newUser(world)), texts.slice(0, 50))
  })

  it.each(sorts)('finds what a look at every todo finds, in the same order, page by page: sort %s', async (sort) => {
    await fc.assert(
      fc.asyncProperty(
        anyQ,
        fc.constantFrom('all', 'pending', 'completed'),
        fc.integer({ min: 40, max: 500 }),
        async (q, status, limit) => {
          const input = ListTodos.parse({ q, sort, status, limit })
          expect(await paged(ctx, input)).toEqual(await naive(ctx, input.q ?? '', input))
        },
      ),
      { numRuns: 12 },
    )
  })

  it('finds one character and two neighbours wherever they stand', async () => {
    const edges = contextOf(world.deps, await newUser(world))
    const padding = Array.from({ length: COUNT }, (_, n) => ({ title: `zzz ${n}`, description: null }))
    const titles = ['xy', 'axy', 'xya', 'axya', 'x', 'y', 'x\u0001y', 'x y', 'yx', 'a\nxy']
    await fill(edges, [...padding, ...titles.map((title) => ({ title, description: null })), { title: 'x', description: 'y' }])
    for (const q of ['xy', 'XY', 'x', 'y', 'x\u0001y', 'x y', 'x\ny', 'yx', 'a\nx', 'xyx', '\u0001', '\u0001y'])
      expect(await paged(edges, { q, sort: '-title' })).toEqual(await naive(edges, q.trim(), { sort: '-title' }))
  })
})

const Node = z.object({
  'Node Type': z.string(),
  'Actual Rows': z.number(),
  'Actual Loops': z.number(),
  'Index Name': z.string().optional(),
})
type Node = z.output<typeof Node> & { 'Rows Removed by Filter'?: number; Plans?: Node[] }

const Explained = z.object({ 'QUERY PLAN': z.array(z.object({ Plan: z.custom<Node>() })) })

/** Rows that were read from the table for a page of 20. */
async function rowsRead(ctx: UserContext, input: object): Promise<number> {
  const page = selectPage(ctx.actor.userId, ListTodos.parse(input), 21)
  const [explained] = await db.query(sql`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${page}`, Explained)
  const nodes = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodes)]
  const plan = explained?.['QUERY PLAN'][0]?.Plan
  const scans = plan ? nodes(plan).filter((node) => /^(Seq|Index|Bitmap Heap) Scan$|^Index Only/.test(node['Node Type'])) : []
  return scans.reduce((sum, node) => sum + (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'], 0)
}

describe('the cost of a search', () => {
  let ctx: UserContext
  beforeAll(async () => {
    ctx = contextOf(world.deps, await newUser(world))
    const texts = Array.from({ length: 5_000 }, (_, n) => ({ title: n < 400 ? `zoo letter ${n}` : `apple ${n}`, description: null }))
    await fill(ctx, texts)
    // Everybody else's todos are full of letters that this user does not have.
    const others = Array.from({ length: 5_000 }, (_, n) => ({ title: `quick ${n}`, description: null }))
    await fill(contextOf(world.deps, await newUser(world)), others)
    await db.execute(sql`VACUUM (ANALYZE) todos`)
  })

  it.each(['qx', 'q', 'qu', '~', '日本', 'a b', 'xylophone'])('is a bounded number of rows for %j, which occurs nowhere', async (q) => {
    for (const sort of ['-created', 'title', '-due']) expect(await rowsRead(ctx, { q, sort })).toBeLessThan(3 * WALKED)
  })

  it('is the rows that match, for a word at the far end of the order', async () => {
    for (const q of ['letter', 'oo', 'zoo l']) expect(await rowsRead(ctx, { q, sort: 'title' })).toBeLessThan(3 * WALKED)
  })

  it('is a few rows for a frequent word', async () => {
    for (const q of ['apple', 'e', 'pp']) expect(await rowsRead(ctx, { q, sort: '-created' })).toBeLessThan(100)
  })
})

it('selects with the owner in every part of the statement', () => {
  const { text } = selectPage('ada', ListTodos.parse({ q: 'le' }), 21)
  expect(text.match(/FROM todos\b/g)).toHaveLength(3)
})
