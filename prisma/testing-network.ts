// A network for tests that can fall silent: a TCP proxy in front of a server.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type TestNetwork = {
  /** The server's URL with the proxy's address. */
  url: string
  /** From now on nothing passes, in no direction, and no connection is closed: a black hole. */
  fallSilent(): void
  /** New connections pass again. Those from before stay silent, unless `resume`: then all that was held back passes too. */
  comeBack(options?: { resume?: boolean }): void
  close(): Promise<void>
}

export async function startNetwork(serverUrl: string): Promise<TestNetwork> {
  const target = new URL(serverUrl)
  const pairs = new Set<[Socket, Socket]>()
  let silent = false
  const server = createServer((from) => {
    const to = connect(Number(target.port), target.hostname)
    const pair: [Socket, Socket] = [from, to]
    pairs.add(pair)
    for (const [one, other] of [pair, [to, from] as const]) {
      one.on('error', () => {})
      one.on('data', (chunk) => other.write(chunk))
      one.on('close', () => {
        // In a black hole the other side hears of no end.
        if (!one.isPaused()) other.destroy()
        pairs.delete(pair)
      })
      if (silent) one.pause()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: Object.assign(new URL(serverUrl), { host: `127.0.0.1:${port}` }).href,
    fallSilent() {
      silent = true
      for (const socket of [...pairs].flat()) socket.pause()
    },
    comeBack({ resume = false } = {}) {
      silent = false
      if (resume) for (const socket of [...pairs].flat()) socket.resume()
    },
    async close() {
      for (const socket of [...pairs].flat()) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
