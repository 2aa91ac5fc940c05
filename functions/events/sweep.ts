// What a tick is for: delivering what a replica that vanished has left, removing what was given up long ago, and saying how it stands.
import { z } from 'zod'
import { outboxHealth, pruneOutbox } from '../../shared/events/outbox.ts'
import type { AppDeps } from '../../shared/http/app.ts'

/** Milliseconds. */
export const sweepLimits = {
  /** Less than the minute between two ticks, with what is under way at its end. */
  timeMs: 40_000,
  /** Events that were given up are kept for two weeks. */
  keepDeadMs: 14 * 24 * 60 * 60_000,
}

export const Swept = z
  .strictObject({
    sink: z.boolean().describe('Whether there is one (`K_SINK`): without it nothing is delivered'),
    sent: z.int().min(0),
    failed: z.int().min(0).describe('Deliveries that failed: to be tried again, or given up'),
    pruned: z.int().min(0).describe('Events that were given up two weeks ago and are forgotten now'),
    dead: z.int().min(0).describe('Events that were given up and are kept'),
    oldest_age_seconds: z.int().min(0).describe('How long the oldest event has been waiting that is neither delivered nor given up'),
  })
  .meta({ id: 'Swept', example: { sink: true, sent: 3, failed: 0, pruned: 0, dead: 0, oldest_age_seconds: 0 } })
export type Swept = z.output<typeof Swept>

/** Safe to run any number of times at once. The log has what it found, for an operator's alerts. */
export async function sweep({ db, delivery, log }: AppDeps, { timeMs, keepDeadMs } = sweepLimits): Promise<Swept> {
  const { sent, failed } = (await delivery?.sweep(timeMs)) ?? { sent: 0, failed: 0 }
  const pruned = await pruneOutbox(db, keepDeadMs)
  const swept = { sink: delivery !== undefined, sent, failed, pruned, ...(await outboxHealth(db)) }
  log('info', 'sweep', { function: 'events', ...swept })
  return swept
}
