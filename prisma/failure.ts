// Maps errors of node-postgres and of Prisma to what a caller can do about them, by SQLSTATE (PostgreSQL manual, appendix A).
// Their messages may hold SQL and values of users, so none of them is passed on.
import pg from 'pg'

export type DatabaseFailure =
  /** Out of reach, overloaded, too slow or read-only: retry later. */
  | { kind: 'unavailable' }
  /** A unique, foreign key or check constraint refused the change; `constraint` is its name. */
  | { kind: 'constraint'; constraint: string }
  /** A serialization failure or a deadlock: retry at once. */
  | { kind: 'contention' }

/** Classifies what a statement threw; undefined for an error that is not the database's. */
export function databaseFailure(error: unknown): DatabaseFailure | undefined {
  const { code, message } = asRecord(error)
  const { state = '', kind, constraint = '' } = reportOf(error)
  if (state.startsWith('23')) return { kind: 'constraint', constraint }
  if (state === '40001' || state === '40P01' || code === 'P2034') return { kind: 'contention' }
  if (UNAVAILABLE_STATES.test(state) || UNAVAILABLE_KINDS.has(String(kind)) || UNAVAILABLE_CODES.has(String(code)))
    return { kind: 'unavailable' }
  // node-postgres reports its own time-outs and lost connections as plain errors.
  if (error instanceof Error && UNAVAILABLE_MESSAGE.test(String(message))) return { kind: 'unavailable' }
  return undefined
}

/** The SQLSTATE of an error; undefined when PostgreSQL did not answer with one. */
export const sqlState = (error: unknown): string | undefined => reportOf(error).state

/** What either library reports: PostgreSQL's SQLSTATE and constraint, and the kind that Prisma's adapter derives. */
type Report = { state?: string | undefined; kind?: unknown; constraint?: string | undefined }

export function reportOf(error: unknown): Report {
  return error instanceof pg.DatabaseError ? { state: error.code, constraint: error.constraint } : reportOfPrisma(error)
}

/** Prisma wraps the error of its adapter. The constraint is in a field, or only in PostgreSQL's message. */
function reportOfPrisma(error: unknown): Report {
  const { originalCode, kind, constraint, originalMessage } = asRecord(asRecord(asRecord(asRecord(error).meta).driverAdapterError).cause)
  const name = asRecord(constraint).index ?? /constraint "([^"]+)"/.exec(String(originalMessage))?.[1]
  return {
    state: typeof originalCode === 'string' ? originalCode : undefined,
    kind,
    constraint: typeof name === 'string' ? name : undefined,
  }
}

/**
 * Connection exceptions, insufficient resources, operator intervention (a statement time-out is one), lock not available, idle in
 * transaction for too long, and a server that takes no writes: a standby, or a primary that was demoted.
 */
const UNAVAILABLE_STATES = /^(08|53|57)...$|^55P03$|^25P03$|^25006$/
const UNAVAILABLE_KINDS = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections', 'TlsConnectionError'])
const UNAVAILABLE_CODES = new Set([
  'P1001',
  'P1002',
  'P1008',
  'P1011',
  'P1017',
  'P2024',
  'P2028',
  'P2037',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
])
const UNAVAILABLE_MESSAGE =
  /timeout exceeded when trying to connect|connection terminated|query read timeout|client has encountered a connection error|not queryable|server has closed the connection/i

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
