// A growing number of processes on one database: their throughput together, and that they stay within their connection limits.

import { sql } from '@todo/prisma'
import { z } from 'zod'
import { variables } from '../../shared/runtime/env.ts'
import type { World } from '../_build/world.ts'
import { load, type Sent } from './load.ts'
import { bundle, withProcesses } from './processes.ts'
import type { Row } from './report.ts'

const SIZES = [1, 4, 8]
const CALLERS = 32
/** Connections that a process opens at the most: the default of DATABASE_POOL_SIZE. */
const POOL = Number(variables.DATABASE_POOL_SIZE.default)

/** @throws Error when a request fails, or when there are more connections than pools allow */
export async function fleet(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const user = await world.newUser()
  await world.addTodos(user, 20)
  const path = `/api/v1/${user.id}/todos`
  const headers = { authorization: user.authorization, 'content-type': 'application/json' }
  const requests: Sent[] = [
    { method: 'GET', path: `${path}?limit=20`, headers },
    { method: 'GET', path: `${path}?limit=20`, headers },
    { method: 'GET', path: `${path}?limit=20`, headers },
    { method: 'POST', path, headers, body: '{"title":"Buy milk"}' },
  ]
  const own = await connections(world)
  const rows: Row[] = []
  for (const size of SIZES) {
    const scripts = Array<string>(size).fill(bundle('todos'))
    await withProcesses(scripts, world.environment, async (processes) => {
      const seconds = short ? 2 : 10
      const running = processes.map(({ url }) => load({ url, seconds, connections: CALLERS / size, requests }, 200, 201))
      const looking = setInterval(look, 200)
      let most = 0
      async function look() {
        most = Math.max(most, await connections(world))
      }
      const loads = await Promise.all(running).finally(() => clearInterval(looking))
      const used = most - own
      if (used > size * POOL) throw new Error(`${size} processes had ${used} connections`)
      const perSecond = loads.reduce((sum, one) => sum + one.perSecond, 0)
      const p99 = Math.max(...loads.map((one) => one.p99))
      rows.push({
        what: `${size} process${size > 1 ? 'es' : ''} on one database, ${CALLERS} callers`,
        figures: `${perSecond.toFixed(0)} /s (three lists, one create), p99 ${p99.toFixed(0)} ms, ${used} of ${size * POOL} connections, no error`,
        values: { per_second: perSecond, p99_ms: p99, connections: used },
      })
    })
  }
  return rows
}

async function connections({ db }: World): Promise<number> {
  const [row] = await db.query(
    sql`
    SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`,
    z.object({ count: z.number() }),
  )
  return row?.count ?? 0
}
