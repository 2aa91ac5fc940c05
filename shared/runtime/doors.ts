// More listening sockets on a server's port. libuv (1.52) accepts one connection per socket in each turn of the event loop: under load a
// turn takes milliseconds, so a hundred new connections, health checks included, would wait for seconds.
import { once } from 'node:events'
import type http from 'node:http'
import { createServer, Server } from 'node:net'

/** Linux spreads connections over sockets that share a port. On other systems Node does not support that. */
export const sharesPorts = process.platform === 'linux'

/** Additional connections that one turn can accept. */
const DOORS = 32

export type Doors = {
  /** Stops accepting connections, the server's included, and resolves when all connections are closed. */
  close(): Promise<unknown>
}

/** Opens them after `afterMs`, so that they do not delay a cold start. The server must listen with `reusePort`. */
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

/** Uses the socket options of `http.Server`. */
function openDoor(server: http.Server, port: number, host: string | undefined): Server {
  const door = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket))
  // A socket that cannot be opened is not needed.
  door.on('error', () => door.close())
  return door.listen({ port, host, reusePort: true })
}
