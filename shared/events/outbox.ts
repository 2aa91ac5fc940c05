// The outbox: events that wait in the database until they are delivered. Any number of replicas take from it at once.
// Whoever leases the oldest event of a subject holds the subject: the others of that subject wait until it is gone, so their order holds.
import { type Db, instant, Prisma } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'

const { sql } = Prisma

/** What a context carries of the delivery: a change that was made tells it that there is something to deliver. */
export type Nudge = { nudge(): void }

export type OutboxEvent = {
  id: string
  /** Ascending in the order of the changes of one subject. */
  sequence: bigint
  subject: string
  type: string
  data: object
  traceparent: string | null
  /** Deliveries that failed so far. */
  attempts: number
  created_at: Date
  /** Until then nobody else takes it. Each lease ends at another moment, so this is also its name. */
  lease: Date
}

/** What became of an event that was taken: gone, or due again after so many milliseconds, or given up. */
export type Outcome =
  | { is: 'delivered'; event: OutboxEvent }
  | { is: 'returned'; event: OutboxEvent }
  | { is: 'postponed'; event: OutboxEvent; delay: number; reason: string }
  | { is: 'dead'; event: OutboxEvent; reason: string }

/**
 * The part of a statement that writes the event of the row in `from`, if there is one: its columns `id` and `user_id` say what it is about
 * and whose. `type` and `data` (jsonb) are expressions over that row.
 */
export function insertEvent(
  { type, data, from }: { type: Prisma.Sql; data: Prisma.Sql; from: Prisma.Sql },
  { at, traceparent }: { at: Date; traceparent: string | undefined },
): Prisma.Sql {
  return sql`
    INSERT INTO outbox_events (id, user_id, subject, type, data, traceparent, created_at)
    SELECT ${uuidv7()}::uuid, user_id, id::text, ${type}, ${data}, ${traceparent ?? null}::text, ${instant(at)} FROM ${from}`
}

/** Time is the database's throughout: replicas' clocks differ. `lease` and delays are in milliseconds. */
export function makeOutbox(db: Db, { lease }: { lease: number }) {
  /** What an event was put off for may have gone while that was being done. Makes those due for which it has, and says how many. */
  const reconsider = (putOff: readonly Pick<OutboxEvent, 'id' | 'lease'>[]) => db.$executeRaw`
    UPDATE outbox_events AS event SET next_attempt_at = now()
    FROM jsonb_to_recordset(${JSON.stringify(putOff.map(({ id, lease }) => ({ id, lease })))}::jsonb) AS put_off(id uuid, lease timestamptz)
    WHERE event.id = put_off.id AND event.next_attempt_at = put_off.lease AND NOT EXISTS (
      SELECT 1 FROM outbox_events AS older
      WHERE older.subject = event.subject AND older.sequence < event.sequence AND older.dead_at IS NULL
    )`
  return {
    /**
     * Takes at most so many due events, of as many subjects. Those that come after another of their subject are put off until that one's
     * turn has passed, so that however many there are, nobody looks at them again and again; `waiting` says whether there were any.
     */
    async claim(limit: number): Promise<{ taken: OutboxEvent[]; waiting: boolean }> {
      for (let waiting = false; ; ) {
        const due = await db.$queryRaw<(OutboxEvent & { follows: boolean })[]>`
          WITH due AS (
            SELECT id, subject, sequence FROM outbox_events
            WHERE dead_at IS NULL AND next_attempt_at <= ${thisMillisecond} ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
          ), placed AS (
            SELECT id, (
              SELECT next_attempt_at FROM outbox_events AS older
              WHERE older.subject = due.subject AND older.sequence < due.sequence AND older.dead_at IS NULL
              ORDER BY older.sequence LIMIT 1
            ) AS first FROM due
          )
          UPDATE outbox_events AS event
          SET next_attempt_at = CASE WHEN first > now() THEN first ELSE now() + ${interval(lease)} END
          FROM placed WHERE event.id = placed.id
          RETURNING event.id, sequence, subject, type, data, traceparent, attempts, created_at, next_attempt_at AS lease,
            first IS NOT NULL AS follows`
        const taken = due.filter(({ follows }) => !follows)
        const putOff = due.filter(({ follows }) => follows)
        waiting ||= putOff.length > 0
        const again = due.length === limit || (putOff.length > 0 && (await reconsider(putOff)) > 0)
        if (taken.length > 0 || !again) return { taken, waiting }
      }
    },

    /**
     * Writes down what became of events. Of one whose lease has run out meanwhile only that it was delivered. The next one of a subject
     * whose turn it is now becomes due.
     */
    async settle(outcomes: readonly Outcome[]): Promise<void> {
      const delivered = outcomes.flatMap(({ is, event }) => (is === 'delivered' ? [event.id] : []))
      const kept = outcomes.flatMap((outcome) => (outcome.is === 'delivered' ? [] : [changesOf(outcome)]))
      if (delivered.length > 0) {
        await db.$executeRaw`
          WITH gone AS (DELETE FROM outbox_events WHERE id = ANY(${delivered}::uuid[]) RETURNING subject, sequence) ${advance}`
      }
      if (kept.length === 0) return
      await db.$executeRaw`
        WITH changed AS (
          UPDATE outbox_events AS event SET
            attempts = kept.attempts, last_error = kept.reason, dead_at = CASE WHEN kept.dead THEN now() END,
            next_attempt_at = now() + kept.delay * interval '1 millisecond'
          FROM jsonb_to_recordset(${JSON.stringify(kept)}::jsonb)
            AS kept(id uuid, lease timestamptz, attempts int, delay float8, reason text, dead bool)
          WHERE event.id = kept.id AND event.next_attempt_at = kept.lease
          RETURNING subject, sequence, dead_at
        ), gone AS (SELECT subject, sequence FROM changed WHERE dead_at IS NOT NULL) ${advance}`
    },

    /** Milliseconds until something is due, 0 when something is already; nothing when nothing waits. */
    async untilNext(): Promise<number | undefined> {
      const [next] = await db.$queryRaw<{ ms: number | null }[]>`
        SELECT ceil(extract(epoch FROM min(next_attempt_at) - now()) * 1000)::float8 AS ms FROM outbox_events WHERE dead_at IS NULL`
      return typeof next?.ms === 'number' ? Math.max(0, next.ms) : undefined
    },
  }
}

/** How many events were given up, and for how many seconds the oldest other one has been waiting; 0 when none does. */
export async function outboxHealth(db: Db): Promise<{ dead: number; oldest_age_seconds: number }> {
  const [health] = await db.$queryRaw<{ dead: number; oldest_age_seconds: number }[]>`
    SELECT count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead,
      GREATEST(0, COALESCE(extract(epoch FROM now() - min(created_at) FILTER (WHERE dead_at IS NULL)), 0))::int AS oldest_age_seconds
    FROM outbox_events`
  return health ?? { dead: 0, oldest_age_seconds: 0 }
}

/** Removes what was given up so many milliseconds ago, ten thousand at a time, and returns how many that were. */
export const pruneOutbox = (db: Db, age: number): Promise<number> =>
  db.$executeRaw`
    DELETE FROM outbox_events WHERE id IN (
      SELECT id FROM outbox_events WHERE dead_at < now() - ${interval(age)} LIMIT 10000 FOR UPDATE SKIP LOCKED)`

/** Makes the next of each subject due, of which the one before is `gone`. By the clock of this very moment: a claim that runs may not know. */
const advance = sql`
  UPDATE outbox_events AS next SET next_attempt_at = clock_timestamp() FROM gone WHERE next.id = (
    SELECT id FROM outbox_events AS later
    WHERE later.subject = gone.subject AND later.sequence > gone.sequence AND later.dead_at IS NULL
    ORDER BY later.sequence LIMIT 1
  )`

/** Moments are kept in whole milliseconds, rounded: what is due now may lie half of one ahead. */
const thisMillisecond = sql`now() + interval '1 millisecond'`

const interval = (milliseconds: number) => sql`${milliseconds}::float8 * interval '1 millisecond'`

function changesOf(outcome: Exclude<Outcome, { is: 'delivered' }>) {
  const { id, lease, attempts } = outcome.event
  const common = { id, lease: lease.toISOString() }
  switch (outcome.is) {
    case 'returned':
      return { ...common, attempts, delay: 0, reason: null, dead: false }
    case 'postponed':
      return { ...common, attempts: attempts + 1, delay: outcome.delay, reason: outcome.reason, dead: false }
    case 'dead':
      return { ...common, attempts: attempts + 1, delay: 0, reason: outcome.reason, dead: true }
  }
}
