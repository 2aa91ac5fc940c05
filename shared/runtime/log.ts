// One JSON line a request, on standard output. No token, password, query string or text of a user is ever in it.
import { sqlState } from '@todo/prisma'

export type LogFields = Record<string, string | number | boolean | null | undefined>
export type Log = (level: 'info' | 'warn' | 'error', message: string, fields?: LogFields) => void

export const jsonLog: Log = (level, message, fields) => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`)
}

/** The fields of an error that an operator needs. The database's messages may hold SQL and values, so of those only the codes and the stack. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error }
  const { name, message, stack, cause } = error
  const code = 'code' in error ? String(error.code) : undefined
  const state = sqlState(error)
  const fromDatabase = state !== undefined || 'clientVersion' in error || name.startsWith('Prisma')
  const frames = stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
    .join(' ')
  return {
    error: name,
    error_code: code,
    sql_state: state,
    error_message: fromDatabase ? undefined : message,
    error_stack: frames,
    ...(cause instanceof Error ? causeFields(cause) : {}),
  }
}

function causeFields(cause: Error): LogFields {
  const { error, error_code, sql_state } = errorFields(cause)
  return { cause: error, cause_code: error_code, cause_sql_state: sql_state }
}

/** One line a kind of error in this time; milliseconds. */
const REPEAT_MS = 10_000

/**
 * Logs errors that may repeat many times a second. The first of each code (or name) is logged at once; within the next 10 s others of it
 * are counted, and the next line says how many.
 */
export function createErrorLog(log: Log, message: string, now: () => number = Date.now): (error: Error) => void {
  const seen = new Map<string, { loggedAt: number; repeated: number }>()
  return (error) => {
    const key = 'code' in error ? String(error.code) : error.name
    const last = seen.get(key)
    if (last && now() - last.loggedAt < REPEAT_MS) {
      last.repeated++
      return
    }
    seen.set(key, { loggedAt: now(), repeated: 0 })
    log('warn', message, { ...errorFields(error), repeated: last?.repeated })
  }
}
