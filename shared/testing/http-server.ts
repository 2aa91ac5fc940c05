// Servers on free ports of loopback, for the outside world that a test stands in for.
import { once } from 'node:events'
import http from 'node:http'
import type { Server } from 'node:net'

export type TestServer = {
  port: number
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  url: string
  /** Closes the server and, for HTTP, every open connection. */
  stop(): Promise<void>
}

/** Lets a server listen on a free port of 127.0.0.1. */
export async function listen(server: Server): Promise<TestServer> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server listens on no port')
  const { port } = address
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      if (server instanceof http.Server) server.closeAllConnections()
      await closed
    },
  }
}

/** An HTTP server on a free port of 127.0.0.1. */
export const startServer = (handler?: http.RequestListener): Promise<TestServer> => listen(http.createServer(handler))
