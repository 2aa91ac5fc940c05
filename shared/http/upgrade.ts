// How a request becomes a socket (RFC 9110, section 7.8): an upgrade passes the same app as every other request, so that identity, limits,
// problems and the log line are the same, and a route takes the socket over or answers like any other.
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Context } from 'hono'
import type { Fetch } from './types.ts'

/** Connections that outlive the requests they began as. */
export type Sockets = {
  /** Lets running calls end, closes every connection, and takes no new one. Resolves when all are gone, which takes 20 s at the most. */
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

/** Hands the connection to `take`, which from then on answers for it; what the route returns goes nowhere. */
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

/** Asks the app about an upgrade. Unless a route takes the socket, the app's answer is written to it and the connection ends. */
export async function answerUpgrade(fetch: Fetch, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  // Whoever asks may go away before there is an answer.
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
  // Not left to the other side, which may keep it half open for ever.
  socket.end(Buffer.concat([Buffer.from(`${status}${head}\r\n`), body]), () => socket.destroy())
}
