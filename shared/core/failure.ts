// Maps thrown errors, the database's included, to AppErrors: once, for REST, chat and MCP.
import { databaseFailure, outcomeUnknown as databaseOutcomeUnknown } from '@todo/prisma'
import { AppError } from './errors.ts'

/** The name of the violated constraint, when the error is a constraint violation. */
export function constraintOf(error: unknown): string | undefined {
  const failure = databaseFailure(error)
  return failure?.kind === 'constraint' ? failure.constraint : undefined
}

/** Whether the failed operation may have committed its change, so that a retry could apply it twice. */
export function outcomeUnknown(error: unknown): boolean {
  if (!(error instanceof AppError)) return databaseOutcomeUnknown(error)
  // An AppError rejects a request before any change, unless its cause is an error of unknown outcome.
  return (error.kind === 'unavailable' || error.kind === 'internal') && error.cause !== undefined && outcomeUnknown(error.cause)
}

/** Any thrown value as an AppError. An unexpected error becomes `internal`, without its message. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const failure = databaseFailure(error)
  switch (failure?.kind) {
    case 'unavailable':
      return databaseUnavailable(error)
    case 'contention':
      return new AppError('unavailable', 'Another change came in between. Please try again.', { retryAfter: 1, cause: error })
    case 'constraint':
    case undefined:
      return new AppError('internal', 'Something went wrong on our side.', { cause: error })
  }
}

/** The error while the database is unreachable, overloaded, read-only or not yet migrated. */
export const databaseUnavailable = (cause?: unknown) =>
  new AppError('unavailable', 'The database does not answer at the moment. Please try again.', { retryAfter: 5, cause })
