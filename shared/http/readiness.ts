// The check behind /health/ready: whether this process can use its database. The log has the reason once, when it changes.
import { createReadinessCheck, type Db, type Readiness } from '@todo/prisma'
import { asAppError, databaseUnavailable } from '../core/failure.ts'
import { errorFields, type Log, type LogFields } from '../core/log.ts'

/**
 * Concurrent checks share one statement: Knative probes every 50 ms until it succeeds, and probes of a slow database would fill the pool.
 * @returns a check that throws an AppError of the kind `unavailable` while this process cannot serve.
 */
export function createReadiness(db: Db, log: Log): () => Promise<void> {
  const check = createReadinessCheck(db)
  let asking: Promise<void> | undefined
  let reported: string | undefined

  /** Logs only changes, because probes repeat. */
  function report(reason: string | undefined, fields: LogFields = {}): void {
    if (reason === reported) return
    if (reason === undefined) log('info', 'ready again')
    else log('warn', 'not ready', { reason, ...fields })
    reported = reason
  }

  async function ask(): Promise<void> {
    const found = await check().catch((error: unknown) => {
      const { kind } = asAppError(error)
      report(kind === 'unavailable' ? 'database unavailable' : 'failed', errorFields(error))
      throw databaseUnavailable(error)
    })
    const reason = reasonOf(found)
    report(reason)
    if (reason !== undefined) throw databaseUnavailable()
  }

  return () => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}

/** The reason for the log; undefined when the process can serve. */
function reasonOf(found: Readiness): string | undefined {
  switch (found.type) {
    case 'ready':
      return undefined
    case 'read_only':
      return 'the database is read-only'
    case 'outdated':
      return `the schema is older than the code: run the migrations (missing: ${found.migrations.join(', ')})`
    case 'denied':
      return `the database role may not read and write: ${found.tables.join(', ')}`
  }
}
