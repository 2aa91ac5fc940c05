// The process's log: one JSON line an entry, on standard output.
import { errorFields, LOG_LEVELS, type Log, type LogLevel } from '../core/log.ts'

export const jsonLog: Log = (level, message, fields) => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`)
}

/** A log that drops every line less severe than `level`. `write` gets the others. */
export function createLog({ level: least, write = jsonLog }: { level: LogLevel; write?: Log }): Log {
  const logged: readonly LogLevel[] = LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(least) + 1)
  return (level, message, fields) => {
    if (logged.includes(level)) write(level, message, fields)
  }
}

/** One line a kind of error in this time. */
const REPEAT_MS = 10_000

/**
 * Logs errors that may repeat many times a second. The first of each code (or name) is logged at once. Repetitions within 10 s are
 * counted, and the next line reports the count.
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
