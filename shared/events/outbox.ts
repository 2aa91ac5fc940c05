// The outbox: events that wait in the database until they are delivered. Any number of replicas take from it at once.
// A lease on the oldest event of a subject holds the subject: no other replica takes the events behind it, so their order holds.
import { type Db, instant, type Sql, sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'

const OutboxEvent = z.strictObject({
  id: z.uuid(),
  /** Ascending in the order of the changes of one subject. */
  sequence: z.bigint(),
  subject: z.string(),
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
  traceparent: z.string().nullable(),
  /** Deliveries that failed so far. */
  attempts: z.int(),
  created_at: z.date(),
})
export type OutboxEvent = z.output<typeof OutboxEvent>

/**
 * Consecutive events of one subject, the oldest first. Only the first row has a lease, which ends at `lease`; each lease ends at another
 * moment, so that moment also identifies it. The first row stays until the run is settled, and with it the lease.
 */
export type Run = { lease: Date; events: readonly [OutboxEvent, ...OutboxEvent[]] }

/** What became of a run: its first events were delivered or given up; `next` says when the event behind those is due. */
export type Outcome = {
  run: Run
  delivered: readonly OutboxEvent[]
  dead: readonly { event: OutboxEvent; reason: string }[]
  next: { type: 'due' } | { type: 'postponed'; delayMs: number; reason: string }
}

/**
 * The part of a statement that writes the event of the row in `from`, if there is one: its columns `id` and `user_id` say what it is about
 * and whose. `type` and `data` (jsonb) are expressions over that row.
 */
export function insertEvent(
  { type, data, from }: { type: Sql; data: Sql; from: Sql },
  { at, traceparent }: { at: Date; traceparent: string | undefined },
): Sql {
  return sql`
    INSERT INTO outbox_events (id, user_id, subject, type, data, traceparent, created_at)
    SELECT ${uuidv7()}::uuid, user_id, id::text, ${type}, ${data}, ${traceparent ?? null}::text, ${instant(at)} FROM ${from}`
}

const claim = { head: z.uuid(), lease: z.date() }
/** A row of a claim: an event of the run that `head` begins, or an event that was put off and belongs to no run. */
const Claimed = z.discriminatedUnion('follows', [
  // Its columns of the event are null.
  z.object({ ...claim, follows: z.literal(true) }),
  z.strictObject({ ...claim, follows: z.literal(false), ...OutboxEvent.shape }),
])
const NextRow = z.strictObject({ ms: z.number().nullable() })
const OutboxHealth = z.strictObject({ dead: z.int(), oldest_age_seconds: z.int() })

/** All times are the database's, because the clocks of replicas differ. `lease` is in milliseconds, `runEvents` the longest run. */
export function makeOutbox(db: Db, { lease, runEvents }: { lease: number; runEvents: number }) {
  /** An older event may disappear while a claim puts off the events behind it. Makes those due, and returns how many there are. */
  const reconsider = (putOff: readonly Pick<Claimed, 'head' | 'lease'>[]) =>
    db.execute(sql`
    UPDATE outbox_events AS event SET next_attempt_at = now()
    FROM jsonb_to_recordset(${JSON.stringify(putOff.map(({ head, lease }) => ({ id: head, lease })))}::jsonb)
      AS put_off(id uuid, lease timestamptz)
    WHERE event.id = put_off.id AND event.next_attempt_at = put_off.lease AND NOT EXISTS (
      SELECT 1 FROM outbox_events AS older
      WHERE older.subject = event.subject AND older.sequence < event.sequence AND older.dead_at IS NULL
    )`)
  return {
    /**
     * Looks at no more than `limit` due events. Leases the oldest of each subject, and returns each with the events behind
     * it. The others are put off until the lease or backoff of the oldest ends, so that a long queue is not read again and again.
     * `waiting`: events were put off. `more`: further events may be due.
     */
    async claim(limit: number): Promise<{ runs: Run[]; waiting: boolean; more: boolean }> {
      const rows = await db.query(
        sql`
        WITH due AS (
          SELECT id, subject, sequence FROM outbox_events
          WHERE dead_at IS NULL AND next_attempt_at <= ${thisMillisecond} ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ), placed AS (
          SELECT id, (
            SELECT next_attempt_at FROM outbox_events AS older
            WHERE older.subject = due.subject AND older.sequence < due.sequence AND older.dead_at IS NULL
            ORDER BY older.sequence LIMIT 1
          ) AS first FROM due
        ), claimed AS (
          UPDATE outbox_events AS event
          SET next_attempt_at = CASE WHEN first > now() THEN first ELSE now() + ${interval(lease)} END
            -- A millisecond behind the oldest event: the next claim finds that one first.
            + CASE WHEN first IS NULL THEN interval '0' ELSE interval '1 millisecond' END
          FROM placed WHERE event.id = placed.id
          RETURNING event.id AS head, event.subject, event.sequence, next_attempt_at AS lease, first IS NOT NULL AS follows
        )
        SELECT head, lease, follows, event.* FROM claimed LEFT JOIN LATERAL (
          SELECT id, sequence, subject, type, data, traceparent, attempts, created_at FROM outbox_events AS own
          WHERE NOT follows AND own.subject = claimed.subject AND own.sequence >= claimed.sequence AND own.dead_at IS NULL
          ORDER BY own.sequence LIMIT ${runEvents}
        ) AS event ON true
        ORDER BY event.sequence`,
        Claimed,
      )
      const putOff = rows.filter(({ follows }) => follows)
      const runs = runsOf(rows)
      const more = putOff.length + runs.length === limit || (putOff.length > 0 && (await reconsider(putOff)) > 0)
      return { runs, waiting: putOff.length > 0, more }
    },

    /**
     * Records the outcomes of runs, each as a whole, and makes the next event of their subjects due. Of a run whose lease another replica
     * has taken meanwhile, it records only the delivered events: that replica decides about the others.
     */
    async settle(outcomes: readonly Outcome[]): Promise<void> {
      if (outcomes.length === 0) return
      const delivered = outcomes.flatMap((outcome) => outcome.delivered.map(({ id }) => id))
      const dead = outcomes.flatMap((outcome) =>
        outcome.dead.map(({ event, reason }) => ({ id: event.id, head: outcome.run.events[0].id, reason })),
      )
      await db.execute(sql`
        WITH run AS (
          -- No EXISTS: the planner may read the whole table for that, where it knows little about the table.
          SELECT settled.*, COALESCE((SELECT next_attempt_at = lease FROM outbox_events AS first WHERE first.id = head), false) AS held
          FROM jsonb_to_recordset(${JSON.stringify(outcomes.map(settledRun))}::jsonb)
            AS settled(head uuid, lease timestamptz, subject text, through bigint, delay float8, failed int, reason text)
        ), gone AS (
          DELETE FROM outbox_events WHERE id = ANY(${delivered}::uuid[]) RETURNING subject
        ), given_up AS (
          UPDATE outbox_events AS event SET dead_at = now(), attempts = event.attempts + 1, last_error = dead.reason
          FROM jsonb_to_recordset(${JSON.stringify(dead)}::jsonb) AS dead(id uuid, head uuid, reason text)
          JOIN run ON run.head = dead.head AND held
          -- The list, too: a join alone may read the whole table, where the planner knows little about it.
          WHERE event.id = ANY(${dead.map(({ id }) => id)}::uuid[]) AND event.id = dead.id AND dead_at IS NULL
        )
        UPDATE outbox_events AS next
        -- The clock and not now(): a claim that runs at this moment must find it due.
        SET next_attempt_at = clock_timestamp() + delay * interval '1 millisecond',
          attempts = next.attempts + failed, last_error = COALESCE(reason, next.last_error)
        FROM run WHERE (held OR EXISTS (SELECT 1 FROM gone WHERE gone.subject = run.subject)) AND next.id = (
          SELECT id FROM outbox_events AS later
          WHERE later.subject = run.subject AND later.sequence > through AND later.dead_at IS NULL
          ORDER BY later.sequence LIMIT 1
        )`)
    },

    /** Milliseconds until something is due, 0 when something is already; nothing when nothing waits. */
    async untilNext(): Promise<number | undefined> {
      const [next] = await db.query(
        sql`
        SELECT ceil(extract(epoch FROM min(next_attempt_at) - now()) * 1000)::float8 AS ms FROM outbox_events WHERE dead_at IS NULL`,
        NextRow,
      )
      return typeof next?.ms === 'number' ? Math.max(0, next.ms) : undefined
    },
  }
}

/** How many events were given up, and for how many seconds the oldest other one has been waiting; 0 when none does. */
export async function outboxHealth(db: Db): Promise<z.output<typeof OutboxHealth>> {
  const [health] = await db.query(
    sql`
    SELECT count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead,
      GREATEST(0, COALESCE(extract(epoch FROM now() - min(created_at) FILTER (WHERE dead_at IS NULL)), 0))::int AS oldest_age_seconds
    FROM outbox_events`,
    OutboxHealth,
  )
  return health ?? { dead: 0, oldest_age_seconds: 0 }
}

/** Removes events that were given up `age` milliseconds ago, at most 10,000 a call. Returns their number. */
export const pruneOutbox = (db: Db, age: number): Promise<number> =>
  db.execute(sql`
    DELETE FROM outbox_events WHERE id IN (
      SELECT id FROM outbox_events WHERE dead_at < now() - ${interval(age)} LIMIT 10000 FOR UPDATE SKIP LOCKED)`)

/** Moments are kept in whole milliseconds, rounded: what is due now may lie half of one ahead. */
const thisMillisecond = sql`now() + interval '1 millisecond'`

const interval = (milliseconds: number) => sql`${milliseconds}::float8 * interval '1 millisecond'`

type Claimed = z.output<typeof Claimed>

function runsOf(rows: readonly Claimed[]): Run[] {
  const runs = new Map<string, { lease: Date; events: [OutboxEvent, ...OutboxEvent[]] }>()
  for (const row of rows) {
    if (row.follows) continue
    const { head, lease, follows: _, ...event } = row
    const run = runs.get(head)
    if (run) run.events.push(event)
    else runs.set(head, { lease, events: [event] })
  }
  return [...runs.values()]
}

/** A run as the statement reads it: the event behind `through` is the next one. */
function settledRun({ run, delivered, dead, next }: Outcome) {
  const [head] = run.events
  const through = run.events[delivered.length + dead.length - 1]?.sequence ?? head.sequence - 1n
  const { delayMs, reason } = next.type === 'postponed' ? next : { delayMs: 0, reason: null }
  const failed = next.type === 'postponed' ? 1 : 0
  return { head: head.id, lease: run.lease, subject: head.subject, through: String(through), delay: delayMs, failed, reason }
}
