// The open sockets of this process: how many there may be, and how they end when it does. Knows no MCP, so that it costs nothing to load.
import { AppError } from '../../shared/errors.ts'
import type { Sockets } from '../../shared/http/upgrade.ts'

/** A connection as this file sees it. */
export type Leaving = {
  /** Takes no new call, lets running ones end, then closes with the WebSocket close code. */
  leave(code: number, reason: string): void
  /** Resolves when it is gone. */
  readonly closed: Promise<unknown>
}
export type OpenSockets = Sockets & {
  /** @throws AppError `unavailable` when there is no room, or the process is about to end */
  assertRoom(): void
  add(connection: Leaving): void
}

export function makeSockets(max: number): OpenSockets {
  const open = new Set<Leaving>()
  let draining = false
  return {
    assertRoom() {
      if (draining) throw new AppError('unavailable', 'This server is about to end. Please connect again.', { retryAfter: 1 })
      if (open.size >= max) throw new AppError('unavailable', 'Too many connections are open here. Please try again.', { retryAfter: 5 })
    },
    add(connection) {
      open.add(connection)
      connection.closed.then(() => open.delete(connection))
    },
    async drain() {
      draining = true
      for (const connection of open) connection.leave(1001, 'the server ends; connect again')
      await Promise.all([...open].map(({ closed }) => closed))
    },
  }
}
