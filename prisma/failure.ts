// What an error from the database means to its caller. Prisma reports the same cause in several shapes, so this reads the SQLSTATE
// (PostgreSQL manual, appendix A) underneath. Its messages hold SQL and values: they go nowhere from here.

export type DatabaseFailure =
  /** Out of reach, overloaded or too slow: worth another try later. */
  | { kind: 'unavailable' }
  /** A unique, foreign key or check constraint refused the change; `constraint` is its name. */
  | { kind: 'constraint'; constraint: string }
  /** Two changes met (serialization failure, deadlock): worth another try at once. */
  | { kind: 'contention' }

/** The failure behind anything that was thrown by a query; undefined when it is not the database's. */
export function databaseFailure(error: unknown): DatabaseFailure | undefined {
  const { code, message } = asRecord(error)
  const { kind, constraint, originalMessage } = driverCause(error)
  const state = sqlState(error) ?? ''

  if (state.startsWith('23')) {
    const name = asRecord(constraint).index ?? /constraint "([^"]+)"/.exec(String(originalMessage))?.[1]
    return { kind: 'constraint', constraint: String(name ?? '') }
  }
  if (state === '40001' || state === '40P01' || code === 'P2034') return { kind: 'contention' }
  if (UNAVAILABLE_STATES.test(state) || UNAVAILABLE_KINDS.has(String(kind)) || UNAVAILABLE_CODES.has(String(code)))
    return { kind: 'unavailable' }
  // node-postgres reports its own time-outs, and connections cut under it, as plain errors.
  if (error instanceof Error && UNAVAILABLE_MESSAGE.test(String(message))) return { kind: 'unavailable' }
  return undefined
}

/** The SQLSTATE underneath an error of Prisma's; undefined when PostgreSQL did not answer with one. */
export function sqlState(error: unknown): string | undefined {
  const { originalCode } = driverCause(error)
  return typeof originalCode === 'string' ? originalCode : undefined
}

const driverCause = (error: unknown) => asRecord(asRecord(asRecord(asRecord(error).meta).driverAdapterError).cause)

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

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
