// From DATABASE_URL to what node-postgres connects with: the one place that decides how a database may be reached.
import type { PoolConfig } from 'pg'
import { StartupError } from './startup-error.ts'

export type ConnectionOptions = {
  /** `postgresql://…`; outside loopback it must say `sslmode=verify-full`. */
  url: string
  /** Allows a connection outside loopback that is not verified TLS. Default false. */
  allowInsecure?: boolean
  /** Connections a process opens at the most. Default 5. */
  poolSize?: number
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?|\/.*)$/

/**
 * Pool settings for node-postgres. No request waits for a database longer than a caller would: 2.5 s for a connection, 5 s for a lock,
 * 10 s for a statement. Behind a pooler, where a session has no limits of its own, 5 s for an answer.
 * @throws StartupError that starts with the variable's name and never shows the URL: it holds a password.
 */
export function connectionConfig({ url, allowInsecure = false, poolSize = 5 }: ConnectionOptions): PoolConfig {
  const { host, verified, pooled } = inspect(url)
  if (!verified && !allowInsecure && !LOOPBACK.test(host)) {
    throw new StartupError(
      `DATABASE_URL: add sslmode=verify-full to reach ${host}, or set DATABASE_ALLOW_INSECURE=true to go without verified TLS`,
    )
  }
  return {
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 2_500,
    idleTimeoutMillis: 60_000,
    // Above the server's own limit, which ends a statement with a known outcome.
    query_timeout: pooled ? 5_000 : 12_000,
    keepAlive: true,
    // The kernel probes a quiet connection from here on once a second, ten times.
    keepAliveInitialDelayMillis: 2_000,
    ...(pooled ? {} : { ...SESSION, statement_timeout: 10_000, lock_timeout: 5_000, idle_in_transaction_session_timeout: 10_000 }),
  }
}

/**
 * The same for a migration: one connection without time limits, and no pooler, which would give the session that holds the migration
 * lock to another client.
 * @throws StartupError as `connectionConfig` does, and when the URL is a pooler's.
 */
export function migrationConfig(connection: ConnectionOptions): PoolConfig {
  const { connectionString, keepAlive, keepAliveInitialDelayMillis } = connectionConfig(connection)
  if (inspect(connection.url).pooled) {
    throw new StartupError("DATABASE_URL: migrations need the database's direct URL, not the pooler's (at Neon: the host without -pooler)")
  }
  return { connectionString, connectionTimeoutMillis: 10_000, keepAlive, keepAliveInitialDelayMillis, max: 1, ...SESSION }
}

/** Set for each session, regardless of the server's settings: Prisma's adapter reads and writes timestamps without zone, in ISO form. */
const SESSION = { options: '-c TimeZone=UTC -c DateStyle=ISO' }

/** Whether a transaction pooler answers there: it keeps nothing for a session. @throws StartupError as `connectionConfig` does */
export const isPooled = (url: string): boolean => inspect(url).pooled

/** What the URL says as node-postgres will read it: of a parameter that is given twice, the last one counts. */
function inspect(url: string) {
  const { searchParams, hostname } = parse(url)
  const last = (name: string) => searchParams.getAll(name).at(-1)
  const host = last('host') || decodeURIComponent(hostname)
  return {
    host,
    verified: last('sslmode') === 'verify-full',
    // A transaction pooler (PgBouncer, Neon's "-pooler" host) refuses start-up parameters it does not know.
    pooled: /-pooler\./.test(host) || last('pgbouncer') === 'true',
  }
}

function parse(url: string): URL {
  try {
    const parsed = new URL(url)
    if (/^postgres(ql)?:$/.test(parsed.protocol) && parsed.pathname.length > 1) return parsed
  } catch {
    // Reported below, without the URL.
  }
  throw new StartupError('DATABASE_URL: must look like postgresql://user:password@host:port/database')
}
