// What a page costs a user with very many todos, against one with a hundred, among the rows of others: by plan, and over HTTP by the clock.
import { createDb } from '@todo/prisma'
import pg from 'pg'
import { addManyTodos } from './many-todos.ts'
import { plans } from './plans.ts'
import { bundle, withProcesses } from './processes.ts'
import type { Row } from './report.ts'
import { median, spread } from './statistics.ts'
import { fromTheMiddle, type Query } from './variants.ts'
import type { User, World } from './world.ts'

type Scaled = { user: User; count: number }
type Page = { what: string; query: Query; deep?: boolean; owed?: string }

const PAGES: Page[] = [
  { what: 'first page', query: {}, owed: '≤ 1.50 ×' },
  { what: 'deep page', query: {}, deep: true, owed: '≤ 1.50 ×' },
  { what: 'search for a rare word', query: { q: 'zeppelin' } },
  { what: 'what is pending, by due date', query: { status: 'pending', sort: 'due' } },
  { what: 'sort by title', query: { sort: 'title' } },
  { what: 'sort by due date', query: { sort: '-due' } },
  { what: 'sort by priority', query: { sort: '-priority' } },
  { what: 'sort by update', query: { sort: '-updated' } },
]

export async function scale(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const many: Scaled[] = []
  const others = Array<number>(short ? 10 : 250).fill(1_000)
  for (const count of [100, short ? 2_000 : 10_000, short ? 20_000 : 1_000_000, ...others])
    many.push({ user: await world.newUser(), count })
  const client = new pg.Client({ connectionString: world.environment.DATABASE_URL })
  const db = createDb({ url: world.environment.DATABASE_URL })
  try {
    await client.connect()
    await addManyTodos(client, many)
    const [few, middle, most] = many
    if (!few || !middle || !most) throw new Error('nobody has todos')
    const targets: Target[] = []
    for (const one of [few, middle, most]) targets.push({ ...one, pages: await targetsOf(one.user) })
    const planned = await plans(db, client, { most: most.user, some: middle.user })
    return [...(await timePages(world, targets, short ? 10 : 40)), ...planned]
  } finally {
    await db.close()
    await client.end()
  }

  async function targetsOf(user: User): Promise<string[]> {
    const base = `/api/v1/${user.id}/todos`
    const targets: string[] = []
    for (const { query, deep } of PAGES) {
      const sort = query.sort ?? '-created'
      const seen = deep ? await fromTheMiddle(db, client, user, { ...query, sort }, sort) : query
      const parameters = Object.entries({ limit: 20, ...seen }).map(([name, value]): [string, string] => [name, String(value)])
      targets.push(`${base}?${new URLSearchParams(parameters)}`)
    }
    return targets
  }
}

type Target = Scaled & { pages: string[] }

/** One request after the other, so that nothing waits for anything else. */
async function timePages({ environment }: World, targets: readonly Target[], rounds: number): Promise<Row[]> {
  return withProcesses([bundle('todos')], environment, async ([server]) => {
    const samples = PAGES.map(() => targets.map((): number[] => []))
    for (let round = -3; round < rounds; round++) {
      for (const [page, perUser] of samples.entries()) {
        for (const [who, times] of perUser.entries()) {
          const target = targets[who]
          const milliseconds = await timeToGet(`${server?.url}${target?.pages[page]}`, target?.user.authorization ?? '')
          if (round >= 0) times.push(milliseconds)
        }
      }
    }
    return PAGES.map((page, index) => row(page, targets, samples[index] ?? []))
  })
}

async function timeToGet(url: string, authorization: string): Promise<number> {
  const begun = performance.now()
  const response = await fetch(url, { headers: { authorization } })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url} answers ${response.status}: ${text}`)
  return performance.now() - begun
}

function row({ what, owed }: Page, targets: readonly Target[], samples: readonly number[][]): Row {
  const few = samples[0] ?? []
  const most = samples.at(-1) ?? []
  const count = targets.at(-1)?.count.toLocaleString('en')
  const figures = samples.map((times, index) => `${targets[index]?.count.toLocaleString('en')}: ${spread(times, 'ms', 1)}`)
  return {
    what: `a page of 20 of ${count} todos, ${what}`,
    ratio: median(most) / median(few),
    against: 'of 100',
    ...(owed ? { owed } : {}),
    figures: figures.join('; '),
    values: { few_ms: median(few), most_ms: median(most) },
  }
}
