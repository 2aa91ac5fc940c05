// The open sockets of this process: limits their number, in total and per user, and their buffered bytes; drains them at shutdown. Does
// not import the MCP SDK, so that it loads fast.
import { AppError } from '../../shared/core/errors.ts'
import type { Sockets } from '../../shared/http/upgrade.ts'

/** The part of a connection that this module needs. */
export type Connection = {
  /** Bytes of unread answers and unprocessed messages in memory. */
  readonly heldBytes: number
  /** Whether a close frame was sent. */
  readonly isClosing: boolean
  /** Rejects new calls, lets running ones finish, then closes with the WebSocket close code. */
  leave(code: number, reason: string): void
  /** Closes at once with the code. Buffered answers are kept for a few seconds, for the client to read. */
  hangUp(code: number, reason: string): void
  /** Cuts the connection and drops what it holds. */
  terminate(): void
  /** Resolves when the socket has closed. */
  readonly closed: Promise<unknown>
}

export type SocketQuota = {
  /** Maximum sockets of the process. */
  total: number
  /** Maximum sockets of one user. */
  perUser: number
  /** Maximum bytes that all sockets hold together. */
  heldBytes: number
}

export type OpenSockets = Sockets & {
  /** @throws AppError `unavailable` when the process is full or draining */
  assertRoom(): void
  /** @throws AppError `throttled` when the user has the maximum of sockets; else as `assertRoom` */
  assertRoomFor(userId: string): void
  add(userId: string, connection: Connection): void
  /** Counts `bytes` more held by a connection, or fewer when negative. Over the limit, the connections that hold most are closed. */
  countHeld(bytes: number): void
  /** Bytes that all connections hold. */
  readonly heldBytes: number
}

/** For `Retry-After`. */
const RETRY_SECONDS = { draining: 1, full: 5 }

export function createSockets({ total, perUser, heldBytes: maxHeld }: SocketQuota): OpenSockets {
  const open = new Map<Connection, string>()
  let draining = false
  let held = 0
  let relieving = false

  function assertRoom(): void {
    if (draining)
      throw new AppError('unavailable', 'This server is about to end. Please connect again.', { retryAfter: RETRY_SECONDS.draining })
    if (open.size >= total)
      throw new AppError('unavailable', 'Too many connections are open here. Please try again.', { retryAfter: RETRY_SECONDS.full })
  }

  /** The connection that holds most; undefined when none holds anything. */
  function largest(isClosing: boolean): Connection | undefined {
    let found: Connection | undefined
    for (const connection of open.keys())
      if (connection.isClosing === isClosing && connection.heldBytes > (found?.heldBytes ?? 0)) found = connection
    return found
  }

  /** A closing connection keeps its buffers until other connections need the bytes. So `held` exceeds the limit by at most two answers. */
  function relieve(): void {
    for (let closing = largest(true); closing && held > maxHeld; closing = largest(true)) closing.terminate()
    if (held > maxHeld) largest(false)?.hangUp(1013, 'too many unread bytes here: read answers faster, ask for less')
  }

  return {
    assertRoom,
    assertRoomFor(userId) {
      assertRoom()
      const own = [...open.values()].filter((owner) => owner === userId).length
      if (own < perUser) return
      throw new AppError('throttled', `You have ${own} connections open here, and may have ${perUser}. Close one, then connect again.`, {
        retryAfter: RETRY_SECONDS.full,
      })
    },
    add(userId, connection) {
      open.set(connection, userId)
      connection.closed.then(() => open.delete(connection))
    },
    countHeld(bytes) {
      held += bytes
      if (relieving || held <= maxHeld) return
      relieving = true
      try {
        relieve()
      } finally {
        relieving = false
      }
    },
    get heldBytes() {
      return held
    },
    async drain() {
      draining = true
      for (const connection of open.keys()) connection.leave(1001, 'the server ends; connect again')
      await Promise.all([...open.keys()].map(({ closed }) => closed))
    },
  }
}
