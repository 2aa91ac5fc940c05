// The log's interface, and errors as log fields. Where lines are written is the process's decision (shared/runtime/log.ts).
import { sqlState } from '@todo/prisma'

/** From the most severe to the least. */
export const LOG_LEVELS = ['error', 'warn', 'info'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** The key of the error that the fields describe. JSON leaves it out, so only a local log shows the whole error. */
export const ERROR = Symbol('error')
export type LogFields = Record<string, string | number | boolean | null | undefined> & { readonly [ERROR]?: unknown }
/** Fields hold no token, password, query string or text of a user. */
export type Log = (level: LogLevel, message: string, fields?: LogFields) => void

/** An error for operators. The database's messages may hold SQL and values: of its errors only the codes and the stack's frames are logged. */
export function errorFields(error: unknown): LogFields {
  return { ...describe(error), [ERROR]: error }
}

function describe(error: unknown): LogFields {
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
  const { error, error_code, sql_state } = describe(cause)
  return { cause: error, cause_code: error_code, cause_sql_state: sql_state }
}
