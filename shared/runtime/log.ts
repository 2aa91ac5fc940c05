// The log: one JSON object a line, on standard output. It holds no token, password, query string or text of a user.

/** From the most severe to the least. */
export const LOG_LEVELS = ['error', 'warn', 'info'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** The key of the error that the fields describe. JSON leaves it out, so only a local log shows the whole error. */
export const ERROR = Symbol('error')
export type LogFields = Record<string, string | number | boolean | null | undefined> & { readonly [ERROR]?: unknown }
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void

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

/** The fields that an operator needs of an error. Prisma's messages hold SQL and values: of those errors, only codes and stack frames. */
export function errorFields(error: unknown): LogFields {
  return { ...describe(error), [ERROR]: error }
}

function describe(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error }
  const { name, message, stack, cause } = error
  const code = 'code' in error ? String(error.code) : undefined
  const fromPrisma = 'clientVersion' in error || name.startsWith('Prisma')
  const frames = stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
    .join(' ')
  return {
    error: name,
    error_code: code,
    sql_state: fromPrisma ? /Code: `(\w+)`/.exec(message)?.[1] : undefined,
    error_message: fromPrisma ? undefined : message,
    error_stack: frames,
    ...(cause instanceof Error ? causeFields(cause) : {}),
  }
}

function causeFields(cause: Error): LogFields {
  const { error, error_code, sql_state } = describe(cause)
  return { cause: error, cause_code: error_code, cause_sql_state: sql_state }
}

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
