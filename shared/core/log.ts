// The log's interface, and errors as log fields. Where lines are written is the process's decision (shared/runtime/log.ts).

import { sqlState } from '@todo/prisma'

export type LogFields = Record<string, string | number | boolean | null | undefined>
/** Fields hold no token, password, query string or text of a user. */
export type Log = (level: 'info' | 'warn' | 'error', message: string, fields?: LogFields) => void

/** An error for operators. The database's messages may hold SQL and values: of its errors only the codes and the stack's frames are logged. */
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
