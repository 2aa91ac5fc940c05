// What a thrown thing means to whoever called an operation: every face asks here.
import { databaseFailure, outcomeUnknown as databaseOutcomeUnknown } from '@todo/prisma'
import { AppError } from './errors.ts'

/** The name of the constraint that refused a statement, if that is what happened. */
export function constraintOf(error: unknown): string | undefined {
  const failure = databaseFailure(error)
  return failure?.kind === 'constraint' ? failure.constraint : undefined
}

/** Whether an operation that threw this may have made its change all the same: then a retry may make it twice. */
export function outcomeUnknown(error: unknown): boolean {
  if (!(error instanceof AppError)) return databaseOutcomeUnknown(error)
  // Errors thrown on purpose are refusals, unless they stand for one that was not.
  return (error.kind === 'unavailable' || error.kind === 'internal') && error.cause !== undefined && outcomeUnknown(error.cause)
}

/** Anything thrown, as the error to answer with. What nobody foresaw becomes `internal` and tells nothing. */
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

/** The answer while the database is away, overloaded, read-only or not yet migrated. */
export const databaseUnavailable = (cause?: unknown) =>
  new AppError('unavailable', 'The database does not answer at the moment. Please try again.', { retryAfter: 5, cause })
