// A proxy as they stand before functions: HTTP/1.1 over kept connections, upgrades passed through (RFC 9110, sections 7.6 and 7.8). It
// never sends a request twice: what gets lost behind it is seen.
import { once } from 'node:events'
import http, { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** A request, and where its answer goes. `head` are the bytes that followed a request to upgrade. */
export type Exchange = { request: IncomingMessage; response: ServerResponse; upgrade?: { socket: Socket; head: Buffer } }

export type Route = {
  port: number
  agent: http.Agent
  /** Gives up: whoever serves the request sees its caller go. */
  signal?: AbortSignal
  /** Is called whenever a part of the answer comes; never for a connection that was upgraded. */
  onWrite?: () => void
}

/** Listens on loopback and gives `handle` every request, those to upgrade included. */
export async function listen(handle: (exchange: Exchange) => void) {
  const server = http.createServer({ keepAliveTimeout: 120_000 }, (request, response) => handle({ request, response }))
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.on('upgrade', (request, socket: Socket, head) => {
    socket.on('error', () => socket.destroy())
    const response = new ServerResponse(request)
    response.assignSocket(socket)
    response.once('finish', () => socket.end())
    handle({ request, response, upgrade: { socket, head } })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    /** Takes no more, and resolves when the last connection is gone: idle ones are closed, upgraded ones are waited for. */
    async close() {
      const closed = once(server, 'close')
      server.close()
      const idle = setInterval(() => server.closeIdleConnections(), 50)
      await closed
      clearInterval(idle)
    },
    cut() {
      for (const socket of open) socket.destroy()
    },
  }
}

/** Passes a request on and its answer back. Resolves when both are over; for an upgraded connection, when it ends. */
export function passOn({ request, response, upgrade }: Exchange, { port, agent, signal, onWrite }: Route): Promise<void> {
  const { promise: over, resolve: end } = Promise.withResolvers<void>()
  const headers = { ...endToEnd(request), ...(upgrade ? { connection: 'Upgrade', upgrade: request.headers.upgrade } : forwarded(request)) }
  const { method, url: path } = request
  const upstream = http.request({ host: '127.0.0.1', port, agent: upgrade ? false : agent, method, path, headers })
  signal?.addEventListener('abort', () => upstream.destroy())
  response.once('close', () => {
    if (!response.writableFinished) upstream.destroy()
    end()
  })
  upstream.on('error', (error) => {
    if (signal?.aborted) return end()
    if (response.headersSent) response.destroy()
    else response.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message}\n`)
  })
  upstream.on('response', (answer) => {
    onWrite?.()
    answer.on('data', () => onWrite?.())
    answer.on('error', () => signal?.aborted || response.destroy())
    if (!signal?.aborted) answer.pipe(response.writeHead(answer.statusCode ?? 502, endToEnd(answer)))
  })
  upstream.on('upgrade', (answer, back: Socket, backHead) => {
    if (!upgrade) return back.destroy()
    response.detachSocket(request.socket)
    join(upgrade, back, backHead, answer).then(end)
    signal?.addEventListener('abort', () => back.destroy())
  })
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  if (hasBody) request.pipe(upstream)
  else upstream.end()
  return over
}

/** Makes one of two connections, and resolves when it is gone. */
async function join({ socket, head }: { socket: Socket; head: Buffer }, back: Socket, backHead: Buffer, answer: IncomingMessage) {
  const lines = Array.from({ length: answer.rawHeaders.length / 2 }, (_, n) => answer.rawHeaders.slice(2 * n, 2 * n + 2).join(': '))
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
  socket.write(backHead)
  back.write(head)
  socket.pipe(back).pipe(socket)
  back.on('error', () => socket.destroy())
  const ends = [once(socket, 'close'), once(back, 'close')]
  await Promise.race(ends)
  // What one side has said last still reaches the other.
  socket.destroySoon()
  back.destroySoon()
  await Promise.all(ends)
}

const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

function endToEnd({ headers }: IncomingMessage): http.OutgoingHttpHeaders {
  const named = (headers.connection ?? '').toLowerCase().split(/\s*,\s*/)
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name) && !named.includes(name)))
}

function forwarded({ headers, socket }: IncomingMessage) {
  return { 'x-forwarded-for': [headers['x-forwarded-for'], socket.remoteAddress].filter(Boolean).join(', ') }
}
