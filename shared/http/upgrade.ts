// Upgrades to WebSocket (RFC 9110, section 7.8) pass through the app like other requests, so identity, limits, problems and the log line are
// the same. A route takes the socket over, or responds as usual.
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Context } from 'hono'
import type { Fetch } from './types.ts'

/** Connections that outlive the requests they began as. */
export type Sockets = {
  /** Finishes running calls, closes every connection and rejects new ones. Resolves when all are closed, after 20 s at most. */
  drain(): Promise<void>
}

type TakeOver = (request: IncomingMessage, socket: Duplex, head: Buffer) => void
type Upgrade = { request: IncomingMessage; socket: Duplex; head: Buffer; taken: boolean }

const upgrades = new WeakMap<object, Upgrade>()

/** HTTP/1.0 has no upgrades (RFC 9110, section 7.8). */
export function wantsWebSocket({ method, headers, httpVersion }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion !== '1.0' && headers.upgrade?.toLowerCase() === 'websocket'
}

/** Whether the request asks to become a socket, and still can. */
export function isUpgrade(c: Context): boolean {
  return upgrades.get(c.env ?? {})?.taken === false
}

/** Whether the request has become a socket. */
export function isUpgraded(c: Context): boolean {
  return upgrades.get(c.env ?? {})?.taken === true
}

/** Passes the connection to `take`, which owns it from then on. The route's response is discarded. */
export function takeUpgrade(c: Context, take: TakeOver): Response {
  const upgrade = upgrades.get(c.env ?? {})
  if (!upgrade || upgrade.taken) throw new Error('there is no upgrade to take')
  upgrade.taken = true
  try {
    take(upgrade.request, upgrade.socket, upgrade.head)
  } catch (error) {
    upgrade.socket.destroy()
    throw error
  }
  return c.body(null)
}

/** Runs the app for an upgrade. Unless a route takes the socket, the response is written to it and the connection closes. */
export async function answerUpgrade(fetch: Fetch, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  // The client may disconnect before the response.
  socket.on('error', () => {})
  const upgrade: Upgrade = { request, socket, head, taken: false }
  const env = { incoming: request }
  upgrades.set(env, upgrade)
  try {
    const url = urlOf(request)
    const response = url ? await fetch(new Request(url, { headers: headersOf(request) }), env) : new Response(null, { status: 400 })
    if (!upgrade.taken) await write(socket, response)
  } catch {
    socket.destroy()
  }
}

/** RFC 9110, section 7.2: a name or an address, and a port. Anything else could move the path. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?$/i

function urlOf({ headers: { host = 'localhost' }, url = '' }: IncomingMessage): string | undefined {
  const whole = `http://${host}${url}`
  return HOST.test(host) && url.startsWith('/') && URL.canParse(whole) ? whole : undefined
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  return new Headers(
    Object.entries(headersDistinct).flatMap(([name, values = []]) => values.map((value): [string, string] => [name, value])),
  )
}

async function write(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer())
  response.headers.set('connection', 'close')
  response.headers.set('content-length', String(body.length))
  const head = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const status = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}\r\n`
  // The client could keep the connection half open indefinitely.
  socket.end(Buffer.concat([Buffer.from(`${status}${head}\r\n`), body]), () => socket.destroy())
}
