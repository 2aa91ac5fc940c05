// A TCP proxy in front of PostgreSQL that loses connections at chosen statements, so that a test sees what a network failure leaves behind.
import { connect, createServer, type Socket } from 'node:net'
import { listen } from './http-server.ts'

/** `cut` runs the statement and closes the connection instead of answering; `hold` runs it and never answers. */
export type Fault = 'cut' | 'hold'

/** `target` is the URL of a database; `url` leads to the same one through the proxy, without prepared statements: they hide their text. */
export async function startDatabaseProxy(target: string) {
  const { hostname, port } = new URL(target)
  const faults: { text: string; fault: Fault; met: () => void }[] = []
  const clients = new Set<Socket>()
  let refusing = false

  const server = createServer((client) => {
    if (refusing) return void client.destroy()
    clients.add(client)
    const database = connect(Number(port), hostname)
    let fault: Fault | undefined
    const end = () => {
      clients.delete(client)
      client.destroy()
      database.destroy()
    }
    client.on('data', (data) => {
      const index = faults.findIndex(({ text }) => data.includes(text))
      if (index >= 0) {
        const [hit] = faults.splice(index, 1)
        fault = hit?.fault
        hit?.met()
      }
      database.write(data)
    })
    // The answer proves that the statement ran.
    database.on('data', (data) => {
      if (fault === undefined) client.write(data)
      else if (fault === 'cut') end()
    })
    for (const socket of [client, database]) socket.on('close', end).on('error', end)
  })
  const listening = await listen(server)

  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(listening.port)
  url.searchParams.set('pgbouncer', 'true')

  return {
    url: url.href,
    /** The next statement whose message contains `text` meets this fault. Resolves when that happens. */
    fail(text: string, fault: Fault): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      faults.push({ text, fault, met: resolve })
      return promise
    },
    /** Closes every connection and accepts none, until `restore`. */
    interrupt() {
      refusing = true
      for (const client of clients) client.destroy()
    },
    restore() {
      refusing = false
    },
    async stop() {
      const closed = listening.stop()
      for (const client of clients) client.destroy()
      await closed
    },
  }
}
