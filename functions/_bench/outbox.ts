// How fast a backlog of events is delivered to a sink that accepts each at once: over many subjects, and of a single one.
import { sql } from '@todo/prisma'
import { deliveryLimits, makeDelivery } from '../../shared/events/delivery.ts'
import { httpSink } from '../../shared/events/sink.ts'
import type { World } from '../_build/world.ts'
import { bare, withProcesses } from './processes.ts'
import type { Row } from './report.ts'

/** @throws Error when an event is left over */
export async function outbox({ db }: World, { short }: { short: boolean }): Promise<Row[]> {
  return withProcesses([bare], {}, async ([sink]) => {
    const drain = (backlog: number, subjects: number) => drainRate(db, sink?.url ?? '', backlog, subjects)
    const backlog = short ? 2_000 : 10_000
    const spread = await drain(backlog, 1_000)
    const hot = await drain(short ? 500 : 2_000, 1)
    return [
      {
        what: `events, a backlog of ${backlog.toLocaleString('en')} delivered by one process`,
        figures: `${spread.toFixed(0)} a second, ${deliveryLimits.parallel} at once`,
        values: { per_second: spread },
      },
      {
        what: 'events of one todo, a backlog delivered in order',
        figures: `${hot.toFixed(0)} a second`,
        values: { per_second: hot },
      },
    ]
  })
}

/** Events a second. */
async function drainRate(db: World['db'], url: string, backlog: number, subjects: number): Promise<number> {
  await db.execute(sql`
    INSERT INTO outbox_events (id, user_id, subject, type, data)
    SELECT uuidv7(), 'bench', 'subject ' || n % ${subjects}::int, 'todo.created', jsonb_build_object('title', 'Todo ' || n)
    FROM generate_series(1, ${backlog}::int) AS n`)
  const delivery = makeDelivery({ db, send: httpSink(url), report: () => {}, limits: deliveryLimits })
  const begun = performance.now()
  const { sent, failed } = await delivery.sweep(300_000)
  const seconds = (performance.now() - begun) / 1000
  await delivery.drain()
  const left = await (await db.prisma()).outboxEvent.count()
  if (sent !== backlog || failed > 0 || left > 0)
    throw new Error(`of ${backlog} events, ${sent} were sent, ${failed} failed, ${left} are left`)
  return backlog / seconds
}
