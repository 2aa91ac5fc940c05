// The right to write to a conversation, for one request at a time, kept as a lease in its row. An advisory lock would occupy a database
// session while a model thinks, and transaction poolers break it. A crashed request loses its lease; every write checks that it holds it.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Sql, sql } from '@todo/prisma'
import { z } from 'zod'
import type { UserContext } from '../core/context.ts'
import { errorFields, type Log } from '../core/log.ts'

export const leaseLimits = {
  /** Milliseconds that a crashed request blocks its conversation. */
  leaseMs: 15_000,
  renewalMs: 5_000,
  /** Milliseconds that a message waits for the one before it, and between two looks. */
  patienceMs: 30_000,
  pollMs: 100,
  /** Milliseconds that a request waits for the release of its lease, which then goes on in the background. */
  releaseMs: 500,
  /** Milliseconds before a failed release is retried, twice as many before the next, up to the maximum. */
  retryMs: 100,
  maxRetryMs: 1_000,
}

export type Lease = {
  conversationId: string
  /** Part of a statement: the conversation's row, while this lease holds it. */
  held: Sql
  /** Stops renewing. For a lease that a statement released along with its own change. */
  ended(): void
  /** Releases the lease. Never throws: a release that fails is retried in the background until the lease has expired by itself. */
  release(): Promise<void>
}

// The database's clock alone decides who holds a lease: replicas' clocks differ.
export const leaseEnd = sql`clock_timestamp() + ${leaseLimits.leaseMs} * interval '1 millisecond'`

/** Part of a statement: the row of a conversation, while a lease holds it. */
export const holds = (conversationId: string, leaseId: string) => sql`id = ${conversationId}::uuid AND lease_id = ${leaseId}::uuid`

const TakenRow = z.strictObject({ id: z.uuid(), taken: z.boolean() })

/**
 * Takes the conversation that `conversation` selects (its `id`) for the lease `leaseId`, unless another lease holds it.
 * @returns the conversation and whether it was taken; undefined when `conversation` selects none
 */
export async function tryTake({ db }: UserContext, conversation: Sql, leaseId: string) {
  const [row] = await db.query(
    sql`
    WITH wanted AS (${conversation}),
    taken AS (
      UPDATE conversations SET lease_id = ${leaseId}::uuid, lease_until = ${leaseEnd}
      WHERE id = (SELECT id FROM wanted) AND (lease_until IS NULL OR lease_until < clock_timestamp()) RETURNING id
    )
    SELECT wanted.id, taken.id IS NOT NULL AS taken FROM wanted LEFT JOIN taken USING (id)`,
    TakenRow,
  )
  return row
}

/** Renews a lease that was taken, until it ends. */
export function keepLease(ctx: UserContext, log: Log, conversationId: string, leaseId: string): Lease {
  const { db } = ctx
  const held = holds(conversationId, leaseId)
  const about = { conversation_id: conversationId }
  let timer: NodeJS.Timeout | undefined
  let over = false

  async function renew(): Promise<void> {
    try {
      const renewed = await db.execute(sql`UPDATE conversations SET lease_until = ${leaseEnd} WHERE ${held}`)
      if (renewed === 0 && !over) return log('warn', 'conversation lease lost', about)
    } catch (error) {
      // The next renewal makes good for it, or the next write notices that the lease is lost.
      log('warn', 'conversation lease not renewed', { ...about, ...errorFields(error) })
    }
    schedule()
  }
  function schedule(): void {
    if (!over) timer = setTimeout(renew, leaseLimits.renewalMs).unref()
  }
  function ended(): void {
    over = true
    clearTimeout(timer)
  }

  schedule()
  return {
    conversationId,
    held,
    ended,
    async release() {
      if (over) return
      ended()
      await releaseLease(ctx, log, leaseId)
    },
  }
}

/**
 * Releases a lease, also one whose taking failed in an unknown way. Never throws: while the database is away it retries in the background,
 * until the lease has expired by itself. Otherwise the next message would wait that long.
 */
export async function releaseLease({ db, actor }: UserContext, log: Log, leaseId: string): Promise<void> {
  const expired = Date.now() + leaseLimits.leaseMs
  async function untilReleased(): Promise<void> {
    for (let pause = leaseLimits.retryMs; ; pause = Math.min(2 * pause, leaseLimits.maxRetryMs)) {
      try {
        await db.execute(sql`
          UPDATE conversations SET lease_id = NULL, lease_until = NULL WHERE user_id = ${actor.userId} AND lease_id = ${leaseId}::uuid`)
        return
      } catch (error) {
        log('warn', 'conversation lease not released', errorFields(error))
        if (Date.now() + pause > expired) return
        await sleep(pause, undefined, { ref: false })
      }
    }
  }
  await Promise.race([untilReleased(), sleep(leaseLimits.releaseMs, undefined, { ref: false })])
}
