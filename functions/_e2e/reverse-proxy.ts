// A reverse proxy as it stands before a function: HTTP/1.1 over kept connections, upgrades included, on http-proxy-3. It never sends a
// request twice, so that a test sees a request that gets lost behind it.
import http, { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createProxyServer } from 'http-proxy-3'
import { listen } from '../../shared/testing/http-server.ts'

/** A request and its response. `head` holds the bytes that followed a request to upgrade. */
export type Exchange = { request: IncomingMessage; response: ServerResponse; upgrade?: { socket: Socket; head: Buffer } }

export type Route = {
  port: number
  agent: http.Agent
  /** Gives up: the function sees its client disconnect. */
  signal?: AbortSignal
  /** Called with each part of a response; never for an upgraded connection. */
  onWrite?: () => void
}

/** Listens on loopback and passes every request to `handle`, requests to upgrade included. */
export async function startProxy(handle: (exchange: Exchange) => void) {
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
  const { port, url } = await listen(server)
  return {
    port,
    url,
    /** Accepts no more connections and resolves when the last has closed: idle ones are closed, upgraded ones are waited for. */
    close() {
      const idle = setInterval(() => server.closeIdleConnections(), 50)
      return new Promise<void>((resolve) => server.close(() => resolve())).finally(() => clearInterval(idle))
    },
    cut() {
      for (const socket of open) socket.destroy()
    },
  }
}

/** Passes on a request and its response. Resolves when the response is over; for an upgraded connection, when that has closed. */
export function passOn({ request, response, upgrade }: Exchange, { port, agent, signal, onWrite }: Route): Promise<void> {
  const target = `http://127.0.0.1:${port}`
  const proxy = createProxyServer({ target, xfwd: true })
  const onAbort = (cut: () => void) => (signal?.aborted ? cut() : signal?.addEventListener('abort', cut))
  if (upgrade) {
    const { socket, head } = upgrade
    response.detachSocket(socket)
    onAbort(() => socket.destroy())
    proxy.ws(request, socket, head, {}, () => socket.destroy())
    return new Promise((resolve) => socket.once('close', () => resolve()))
  }
  proxy.on('proxyReq', (upstream) => onAbort(() => upstream.destroy()))
  proxy.on('proxyRes', (answer) => {
    // The connection to the function is not the connection to the client (RFC 9110, section 7.6.1).
    delete answer.headers.connection
    onWrite?.()
    answer.on('data', () => onWrite?.())
    answer.on('error', () => signal?.aborted || response.destroy())
  })
  proxy.web(request, response, { agent }, (error) => {
    if (signal?.aborted) return
    if (response.headersSent) response.destroy()
    else response.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message}\n`)
  })
  return new Promise((resolve) => response.once('close', () => resolve()))
}
