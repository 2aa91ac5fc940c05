// The open sockets of this process: how many there may be in total and per user, how many bytes they may hold together, and how they end.
// Knows no MCP, so that loading it costs nothing.
import { AppError } from '../../shared/core/errors.ts'
import type { Sockets } from '../../shared/http/upgrade.ts'

/** A connection as this file sees it. */
export type Connection = {
  /** Bytes of unread answers and unprocessed messages that it keeps in memory. */
  readonly heldBytes: number
  /** Whether a close was sent to it. */
  readonly isClosing: boolean
  /** Takes no new call, lets running ones end, then closes with the WebSocket close code. */
  leave(code: number, reason: string): void
  /** Closes with the code at once. What it holds is kept until the client has read it, for some seconds. */
  hangUp(code: number, reason: string): void
  /** Cuts the connection and drops what it holds. */
  terminate(): void
  /** Resolves when it is gone. */
  readonly closed: Promise<unknown>
}

export type SocketQuota = {
  /** Sockets of the process. */
  total: number
  /** Sockets of one user. */
  perUser: number
  /** Bytes that all sockets may hold together. */
  heldBytes: number
}

export type OpenSockets = Sockets & {
  /** @throws AppError `unavailable` when the process has no room or is about to end */
  assertRoom(): void
  /** @throws AppError `throttled` when the user has as many sockets as one may have; else as `assertRoom` */
  assertRoomFor(userId: string): void
  add(userId: string, connection: Connection): void
  /** Notes that some connection holds `bytes` more, or less when negative. Over the limit, the ones that hold most are closed. */
  countHeld(bytes: number): void
  /** Bytes that all of them hold. */
  readonly heldBytes: number
}

/** Seconds after which another attempt to connect makes sense. */
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

  /** The connection that holds most, if one holds anything. */
  function largest(isClosing: boolean): Connection | undefined {
    let found: Connection | undefined
    for (const connection of open.keys())
      if (connection.isClosing === isClosing && connection.heldBytes > (found?.heldBytes ?? 0)) found = connection
    return found
  }

  /** A closed connection may still read the reason, until the next ones need its bytes. So `held` exceeds the limit by two answers at most. */
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
