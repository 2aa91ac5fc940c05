// Whether a statement that failed may have been committed nevertheless. Then only reading the data can decide.
import { asRecord, reportOf } from './failure.ts'

/**
 * True when the outcome is unknown: the connection was lost, or no answer came in time. False when the statement certainly had no effect:
 * the server refused it, rolled it back, or never received it. An error of an unknown shape counts as unknown.
 */
export function outcomeUnknown(error: unknown): boolean {
  const { code, message } = asRecord(error)
  const { state: reported, kind } = reportOf(error)
  const state = [reported, code].find(isSqlState)
  // An error with a SQLSTATE is the server's answer, and its transaction is rolled back.
  if (state !== undefined) return UNDECIDED_STATES.test(state)
  if (NEVER_SENT_CODES.has(String(code)) || NEVER_SENT_KINDS.has(String(kind))) return false
  return !NEVER_SENT_MESSAGE.test(String(message))
}

/**
 * Connection exceptions, "statement completion unknown", and a server that ends the session, which also interrupts a commit that waits for
 * a replica (PostgreSQL manual, appendix A).
 */
const UNDECIDED_STATES = /^08...$|^40003$|^57P0[1245]$/
const NEVER_SENT_CODES = new Set(['P1000', 'P1001', 'P1003', 'P2024', 'P2034', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])
const NEVER_SENT_KINDS = new Set(['DatabaseNotReachable', 'TlsConnectionError', 'TooManyConnections', 'TransactionWriteConflict'])
// node-postgres reports these as plain errors: no connection was free or opened in time, or it was dead before the statement was written.
const NEVER_SENT_MESSAGE = /timeout exceeded when trying to connect|terminated due to connection timeout|not queryable/i

/** A SQLSTATE has five characters with at least one digit. Prisma's own codes look similar, but PostgreSQL's class is P0. */
function isSqlState(code: unknown): code is string {
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) && !/^P[1-9]/.test(code)
}
