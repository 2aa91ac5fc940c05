// More listening sockets on a server's port. libuv (1.52) accepts one connection a socket in each turn of the event loop: under load, when
// a turn takes milliseconds, some hundred new connections would wait for seconds, health checks among them.
import { once } from 'node:events'
import type http from 'node:http'
import { createServer, Server } from 'node:net'

/** The kernel spreads connections over sockets that share a port in this way. Elsewhere Node refuses to. */
export const sharesPorts = process.platform === 'linux'

/** Connections that a turn can accept beside the server's own. */
const DOORS = 32

export type Doors = {
  /** Lets nobody in any more, at the server and here, and resolves when all connections are gone. */
  close(): Promise<unknown>
}

/** `afterMs` keeps them out of the way of a cold start. The server must listen with `reusePort`. */
export function openDoors(server: http.Server, port: number, host: string | undefined, afterMs: number): Doors {
  const doors: Server[] = []
  const timer = setTimeout(() => {
    for (let count = 0; sharesPorts && count < DOORS; count++) doors.push(openDoor(server, port, host))
  }, afterMs).unref()
  return {
    close() {
      clearTimeout(timer)
      const all = [server, ...doors.filter(({ listening }) => listening)]
      const closed = all.map((each) => once(each, 'close'))
      // Not http's own `close`, which would also cut connections whose first request is on its way.
      for (const each of all) Server.prototype.close.call(each)
      return Promise.all(closed)
    },
  }
}

/** With the options that http gives its own sockets. */
function openDoor(server: http.Server, port: number, host: string | undefined): Server {
  const door = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket))
  // The server does without one that cannot be opened.
  door.on('error', () => door.close())
  return door.listen({ port, host, reusePort: true })
}
