// How fast a backlog of events is delivered, to a sink that does nothing but say yes.
import { deliveryLimits, makeDelivery } from '../../shared/events/delivery.ts'
import { httpSink } from '../../shared/events/sink.ts'
import { bare, withProcesses } from './processes.ts'
import type { Row } from './report.ts'
import type { World } from './world.ts'

const SUBJECTS = 1_000

/** @throws Error when an event is left over */
export async function outbox({ db }: World, { short }: { short: boolean }): Promise<Row[]> {
  const backlog = short ? 2_000 : 10_000
  await db.$executeRaw`
    INSERT INTO outbox_events (id, user_id, subject, type, data)
    SELECT uuidv7(), 'bench', 'subject ' || n % ${SUBJECTS}::int, 'todo.created', jsonb_build_object('title', 'Todo ' || n)
    FROM generate_series(1, ${backlog}::int) AS n`
  return withProcesses([bare], {}, async ([sink]) => {
    const delivery = makeDelivery({ db, send: httpSink(sink?.url ?? ''), report: () => {}, limits: deliveryLimits })
    const begun = performance.now()
    const { sent, failed } = await delivery.sweep(300_000)
    const seconds = (performance.now() - begun) / 1000
    await delivery.drain()
    const left = await db.outboxEvent.count()
    if (sent !== backlog || failed > 0 || left > 0)
      throw new Error(`of ${backlog} events, ${sent} were sent, ${failed} failed, ${left} are left`)
    return [
      {
        what: `events, a backlog of ${backlog.toLocaleString('en')} delivered by one process`,
        figures: `${(backlog / seconds).toFixed(0)} a second, ${deliveryLimits.parallel} at once`,
        values: { per_second: backlog / seconds },
      },
    ]
  })
}
