// A message to a long conversation, and a page of one, against a short one: neither may cost more because much was said before.
import { sql } from '@todo/prisma'
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { getConversation, ReadConversation } from '../../shared/conversations/conversations.ts'
import { contextOf } from '../../shared/testing/user-context.ts'
import type { User, World } from '../_build/world.ts'
import { planOf } from './plan.ts'
import { bundle, withProcesses } from './processes.ts'
import type { Row } from './report.ts'
import { statementsOf } from './statements.ts'
import { median, spread } from './statistics.ts'

const SHORT = 10
const LONG = 2_000

export async function conversation(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const user = await world.newUser()
  await world.addTodos(user, 20)
  const ids = [await newConversation(world, user.id, SHORT), await newConversation(world, user.id, LONG)]
  await assertLimited(world, user, ids.at(-1) ?? '')
  const headers = { authorization: user.authorization, 'content-type': 'application/json' }
  const chat = (conversation_id: string) => ({
    path: '/api/v1/chat',
    init: { method: 'POST', headers, body: JSON.stringify({ message: 'what is on my list?', conversation_id }) },
  })
  const page = (id: string) => ({ path: `/api/v1/conversations/${id}?limit=${SHORT}`, init: { headers } })
  const calls = [
    { what: 'a message', of: chat },
    { what: `a page of ${SHORT}`, of: page },
  ]
  return withProcesses([bundle('chat')], world.environment, async ([server]) => {
    const samples = calls.map(() => ids.map((): number[] => []))
    for (let round = -3; round < (short ? 10 : 50); round++) {
      for (const [call, perConversation] of samples.entries()) {
        for (const [which, times] of perConversation.entries()) {
          const { path, init } = calls[call]?.of(ids[which] ?? '') ?? { path: '', init: {} }
          const milliseconds = await timeTo(`${server?.url}${path}`, init)
          if (round >= 0) times.push(milliseconds)
        }
      }
    }
    return calls.map(({ what }, index): Row => {
      const [few = [], many = []] = samples[index] ?? []
      return {
        what: `conversation of ${LONG.toLocaleString('en')} messages, ${what}`,
        ratio: median(many) / median(few),
        against: `of ${SHORT}`,
        figures: `${spread(many, 'ms', 1)}; of ${SHORT}: ${spread(few, 'ms', 1)}`,
        values: { few_ms: median(few), many_ms: median(many) },
      }
    })
  })
}

/** @throws Error when, by the plan, a page reads more rows than it has messages, plus the one that shows whether there are more */
async function assertLimited({ deps, environment }: World, user: User, conversation_id: string): Promise<void> {
  const input = ReadConversation.parse({ conversation_id, limit: SHORT })
  const { statements } = await statementsOf(() => getConversation(contextOf(deps, user), input))
  const client = new pg.Client({ connectionString: environment.DATABASE_URL })
  try {
    await client.connect()
    for (const statement of statements) {
      const { rows, shape } = await planOf(client, statement)
      if (rows > SHORT + 1) throw new Error(`a page of ${SHORT} messages takes ${rows} rows: ${shape}`)
    }
  } finally {
    await client.end()
  }
}

async function newConversation({ db }: World, userId: string, messages: number): Promise<string> {
  const id = uuidv7()
  await (await db.prisma()).conversation.create({ data: { id, userId, title: 'Bench' } })
  await db.execute(sql`
    INSERT INTO messages (id, conversation_id, position, role, content)
    SELECT uuidv7(), ${id}::uuid, n, (CASE WHEN n % 2 = 1 THEN 'user' ELSE 'assistant' END)::message_role, 'message ' || n
    FROM generate_series(1, ${messages}::int) AS n`)
  return id
}

async function timeTo(url: string, init: RequestInit): Promise<number> {
  const begun = performance.now()
  const response = await fetch(url, init)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url} answers ${response.status}: ${text}`)
  return performance.now() - begun
}
