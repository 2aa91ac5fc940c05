// Requests that last as long as a test wants: a change of a row waits for the holder of its lock, at most 5 s (prisma/connection.ts).

import { type Db, sql } from '@todo/prisma'
import { z } from 'zod'

/** Locks the todo until `release`, so that changes of it wait. `waiting` counts the waiting statements. */
export async function holdTodo(db: Db, id: string) {
  const locked = Promise.withResolvers<number>()
  const until = Promise.withResolvers<void>()
  const released = (await db.prisma()).$transaction(
    async (tx) => {
      const [holder] = await tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid FROM todos WHERE id = ${id}::uuid FOR UPDATE`
      locked.resolve(holder?.pid ?? 0)
      await until.promise
    },
    { timeout: 20_000 },
  )
  const pid = await locked.promise
  const blocked = () => db.query(sql`SELECT pid FROM pg_stat_activity WHERE ${pid}::int = ANY(pg_blocking_pids(pid))`, z.unknown())
  return {
    waiting: async () => (await blocked()).length,
    release: () => {
      until.resolve()
      return released
    },
  }
}
