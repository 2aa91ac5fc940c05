// The sweep: delivers events that a crashed replica left behind, deletes old dead events, and reports the state of the outbox.
import { z } from 'zod'
import { outboxHealth, pruneOutbox } from '../../shared/events/outbox.ts'
import type { ProcessDeps } from '../../shared/runtime/deps.ts'

export const sweepLimits = {
  /** With the deliveries in flight at its end, less than the minute between two ticks. */
  timeMs: 40_000,
  /** Dead events are kept for two weeks. */
  keepDeadMs: 14 * 24 * 60 * 60_000,
}

export const Swept = z
  .strictObject({
    sink: z.boolean().describe('Whether a sink is configured (`K_SINK`): without it nothing is delivered'),
    sent: z.int().min(0),
    failed: z.int().min(0).describe('Failed deliveries: to be retried, or given up'),
    pruned: z.int().min(0).describe('Events that were given up two weeks ago and are deleted now'),
    dead: z.int().min(0).describe('Events that were given up and are kept'),
    oldest_age_seconds: z.int().min(0).describe('Age of the oldest event that is neither delivered nor given up'),
  })
  .meta({ id: 'Swept', example: { sink: true, sent: 3, failed: 0, pruned: 0, dead: 0, oldest_age_seconds: 0 } })
export type Swept = z.output<typeof Swept>

/** Runs one sweep and logs its result, for an operator's alerts. Concurrent sweeps are safe. */
export async function sweep({ db, delivery, log }: ProcessDeps, { timeMs, keepDeadMs } = sweepLimits): Promise<Swept> {
  const { sent, failed } = (await delivery?.sweep(timeMs)) ?? { sent: 0, failed: 0 }
  const pruned = await pruneOutbox(db, keepDeadMs)
  const swept = { sink: delivery !== undefined, sent, failed, pruned, ...(await outboxHealth(db)) }
  log('info', 'sweep', { function: 'events', ...swept })
  return swept
}
