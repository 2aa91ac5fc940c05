// Whether a statement that failed may have been committed all the same: then only looking at the data tells.

/**
 * True when nobody can know whether the statement of `error` took effect: the connection was lost, or no answer came in time. False when
 * it certainly took none: the server refused it, rolled it back, or never received it. An error of an unknown shape counts as unknown.
 */
export function outcomeUnknown(error: unknown): boolean {
  const { code, meta, message } = asRecord(error)
  const { originalCode, kind } = asRecord(asRecord(asRecord(meta).driverAdapterError).cause)
  const state = [originalCode, code].find(isSqlState)
  // An error with a SQLSTATE is the server's answer, and its transaction is rolled back.
  if (state !== undefined) return UNDECIDED_STATES.test(state)
  if (NEVER_SENT_CODES.has(String(code)) || NEVER_SENT_KINDS.has(String(kind))) return false
  return !NEVER_SENT_MESSAGE.test(String(message))
}

/**
 * Connection exceptions, "statement completion unknown", and a server that ends the session: a commit that waits for a replica is cut so,
 * too (PostgreSQL manual, appendix A).
 */
const UNDECIDED_STATES = /^08...$|^40003$|^57P0[1245]$/
const NEVER_SENT_CODES = new Set(['P1000', 'P1001', 'P1003', 'P2024', 'P2034', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])
const NEVER_SENT_KINDS = new Set(['DatabaseNotReachable', 'TlsConnectionError', 'TooManyConnections', 'TransactionWriteConflict'])
// node-postgres reports these as plain errors: no connection was free or made in time, or it was dead before the statement was written.
const NEVER_SENT_MESSAGE = /timeout exceeded when trying to connect|terminated due to connection timeout|not queryable/i

/** A SQLSTATE has five characters, a digit among them; Prisma's own codes look alike, but PostgreSQL's class P0 has its zero. */
function isSqlState(code: unknown): code is string {
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) && !/^P[1-9]/.test(code)
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
