// A node-postgres pool that gives connections up which are dead or lead to a server that refuses writes. Neither TCP nor node-postgres
// notices in time: a statement sent into a black hole waits for its time-out, and a demoted primary keeps its connections.
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type ConnectionOptions, connectionConfig } from './connection.ts'

const TIMES = {
  tickMs: 250,
  /** A connection that owes an answer and sends nothing for so long is looked into, and again after as long. */
  suspectMs: 1_000,
  /** To connect and to ask on the connection that looks into others. */
  lookMs: 1_000,
  /** An answer that was on its way when the server was asked has this long to arrive. */
  graceMs: 500,
}

/** SQLSTATE read_only_sql_transaction: every connection of the pool may lead to the server that was demoted. */
const READ_ONLY = '25006'
/** Connection exceptions and shutdowns: the server ends this connection. */
const ENDING = /^08|^57P0[1-5]$/

/** A connection that was given up while a statement waited for its answer: whether that was carried out is not known. */
export class DeadConnectionError extends Error {
  override name = 'DeadConnectionError'
  readonly code = 'ETIMEDOUT'

  constructor(reason: string) {
    super(`Connection terminated: ${reason}`)
  }
}

/** Makes the pool remove an idle connection; reported to none. */
class Retirement extends Error {}

export type WatchedPool = {
  pool: pg.Pool
  /** Uses no connection again that is open now: idle ones are closed, those in use when they are released. */
  renew(): void
}

/**
 * A pool of at most `connection.poolSize` connections. While one of them owes an answer for more than a second, one more connection asks
 * the server whether it works on that statement.
 * @param onError is called for connections that broke while they were idle, and for connections that were given up.
 * @throws StartupError when the URL may not be used.
 */
export function createPool(connection: ConnectionOptions, onError: (error: Error) => void): WatchedPool {
  const config = connectionConfig(connection)
  const pool = new pg.Pool({ ...config, Client: Session })
  const busy = new Set<Session>()
  const idle = new Set<Session>()
  let timer: NodeJS.Timeout | undefined
  let looking = false
  let ticksToNextLook = 0

  const renew = () => {
    for (const session of busy) session.retired = true
    for (const session of idle) {
      session.emit('error', new Retirement('renewed'))
      session.connection.stream.destroy()
    }
  }
  const giveUp = (session: Session, reason: string) => {
    const error = new DeadConnectionError(reason)
    session.connection.stream.destroy(error)
    onError(error)
  }

  function tick(): void {
    if (busy.size === 0) {
      clearInterval(timer)
      timer = undefined
      return
    }
    for (const session of busy) session.tick()
    if (config.query_timeout) for (const session of busy) if (session.quietMs >= config.query_timeout) giveUp(session, 'no answer in time')
    const silent = [...busy].filter((session) => session.quietMs >= TIMES.suspectMs)
    if (--ticksToNextLook > 0 || looking || silent.length === 0) return
    looking = true
    ticksToNextLook = TIMES.suspectMs / TIMES.tickMs
    lookInto(silent.map((session) => ({ session, quietMs: session.quietMs }))).finally(() => {
      looking = false
    })
  }

  async function lookInto(silent: { session: Session; quietMs: number }[]): Promise<void> {
    const atWork = await backendsAtWork(
      config,
      silent.flatMap(({ session }) => session.backend ?? []),
    ).catch(() => undefined)
    // The network is away, or the server has no connection left: nothing is known of the others.
    if (!atWork) return
    await sleep(TIMES.graceMs)
    const dead = silent.filter(
      ({ session, quietMs }) => busy.has(session) && session.quietMs >= quietMs && !atWork.has(session.backend ?? 0),
    )
    if (dead.length === 0) return
    for (const { session } of dead) giveUp(session, 'the server does not work on its statement')
    renew()
  }

  pool.on('connect', (client) => {
    client.connection.on('errorMessage', ({ code = '' }: { code?: string }) => {
      if (code === READ_ONLY) renew()
      else if (client instanceof Session && ENDING.test(code)) client.retired = true
    })
  })
  pool.on('acquire', (client) => {
    if (!(client instanceof Session)) return
    idle.delete(client)
    busy.add(client)
    timer ??= setInterval(tick, TIMES.tickMs).unref()
  })
  pool.on('release', (_error, client) => {
    if (!(client instanceof Session)) return
    busy.delete(client)
    // A pending answer has no reader left: the next user of the connection would wait behind it.
    if (client.retired || client.owesAnswer) client.end().catch(() => {})
    else idle.add(client)
  })
  pool.on('remove', (client) => {
    if (client instanceof Session) idle.delete(client)
  })
  pool.on('error', (error) => {
    if (!(error instanceof Retirement)) onError(error)
  })
  return { pool, renew }
}

/** A connection that knows whether it owes an answer, and since when it is quiet. */
class Session extends pg.Client {
  /** The id of the server's process, by the protocol; a pooler makes one up. */
  backend: number | undefined
  /** Not to be used again. */
  retired = false
  #answered = 0
  #read = 0
  #quietTicks = 0

  constructor(config?: string | pg.ClientConfig) {
    super(config)
    this.connection.on('backendKeyData', ({ processID }: { processID: number }) => {
      this.backend = processID
    })
    // Before node-postgres sends the next statement: all that was written until now is answered.
    this.connection.prependListener('readyForQuery', () => {
      this.#answered = this.#socket?.bytesWritten ?? 0
    })
  }

  get owesAnswer(): boolean {
    return (this.#socket?.bytesWritten ?? 0) > this.#answered
  }

  /** In turns of the event loop's timer, not by the clock: a process that was stalled has not read what has arrived. */
  get quietMs(): number {
    return this.#quietTicks * TIMES.tickMs
  }

  tick(): void {
    const read = this.#socket?.bytesRead ?? 0
    this.#quietTicks = this.owesAnswer && read === this.#read ? this.#quietTicks + 1 : 0
    this.#read = read
  }

  /** Another one once TLS is negotiated. */
  get #socket(): Socket | undefined {
    const { stream } = this.connection
    return stream instanceof Socket ? stream : undefined
  }
}

/**
 * Which of the server's processes work on a statement, asked on a connection of its own; undefined when a pooler answers, whose ids are
 * not the server's.
 * @throws Error when there is no answer within `TIMES.lookMs`.
 */
async function backendsAtWork(config: pg.ClientConfig, backends: number[]): Promise<Set<number> | undefined> {
  const session = new Session({ ...config, connectionTimeoutMillis: TIMES.lookMs, query_timeout: TIMES.lookMs })
  session.on('error', () => {})
  try {
    await session.connect()
    // A process that waits for its client to read has done its work. The state is null where the role may not see it.
    const { rows } = await session.query<{ pid: number; own: boolean }>(
      `SELECT pid, pid = pg_backend_pid() AS own FROM pg_stat_activity
       WHERE pid = pg_backend_pid()
          OR pid = ANY ($1::int[]) AND (state IS NULL OR state NOT LIKE 'idle%') AND wait_event IS DISTINCT FROM 'ClientWrite'`,
      [backends],
    )
    const own = rows.find((row) => row.own)
    return own?.pid === session.backend ? new Set(rows.map(({ pid }) => pid)) : undefined
  } finally {
    session.end().catch(() => {})
  }
}
