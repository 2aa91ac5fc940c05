// From DATABASE_URL to what node-postgres connects with: the one place that decides how a database may be reached.
import type { PoolConfig } from 'pg'

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
 * Pool settings for node-postgres.
 * Timeouts are in milliseconds: 5 s to get a connection, 10 s a statement, 5 s a lock, so that no request waits for a database longer than
 * a caller would.
 * @throws Error with one line that starts with the variable's name, never with the URL: it holds a password.
 */
export function connectionConfig({ url, allowInsecure = false, poolSize = 5 }: ConnectionOptions): PoolConfig {
  const parsed = parse(url)
  const host = decodeURIComponent(parsed.searchParams.get('host') ?? parsed.hostname)
  const verified = parsed.searchParams.get('sslmode') === 'verify-full'
  if (!verified && !allowInsecure && !LOOPBACK.test(host)) {
    throw new Error(
      `DATABASE_URL: add sslmode=verify-full to reach ${host}, or set DATABASE_ALLOW_INSECURE=true to go without verified TLS`,
    )
  }
  // A transaction pooler (PgBouncer, Neon's "-pooler" host) refuses start-up parameters it does not know.
  const pooled = /-pooler\./.test(host) || parsed.searchParams.get('pgbouncer') === 'true'
  return {
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    query_timeout: 12_000,
    keepAlive: true,
    ...(pooled ? {} : { statement_timeout: 10_000, lock_timeout: 5_000, idle_in_transaction_session_timeout: 10_000 }),
  }
}

function parse(url: string): URL {
  try {
    const parsed = new URL(url)
    if (/^postgres(ql)?:$/.test(parsed.protocol) && parsed.pathname.length > 1) return parsed
  } catch {
    // Reported below, without the URL.
  }
  throw new Error('DATABASE_URL: must look like postgresql://user:password@host:port/database')
}
