// Load that does not wait for answers: requests leave at a given rate, each on a free connection or a new one, however slow the answers
// are. A process of its own, as `load-process.ts`; `argv[2]` is an `OpenOrder`, and the `OpenLoad` that came of it is printed as JSON.
import { connect, type Socket } from 'node:net'
import { quantile } from './statistics.ts'

export type OpenOrder = {
  url: string
  seconds: number
  perSecond: number
  requests: readonly { method: string; path: string; headers: Record<string, string>; body?: string }[]
}
export type OpenLoad = {
  sent: number
  /** How many answers had which status. */
  statuses: Record<string, number>
  /** Requests that had no answer 5 s after the last one left, or whose connection broke. */
  unanswered: number
  /** Answers a second with a status below 400. */
  goodput: number
  /** Milliseconds from when a request was due to the end of its answer, for statuses below 400. */
  p50: number
  p99: number
  max: number
  /** The same for refusals. */
  refusedP99: number
  /** Milliseconds that a request left late at the most: above about 10, the figures describe the load generator. */
  late: number
}

const { url, seconds, perSecond, requests }: OpenOrder = JSON.parse(process.argv[2] ?? '')
const { hostname, port } = new URL(url)
/** The process may open no more connections; requests due beyond that count as unanswered. */
const MOST = 4_000
const GRACE = 5_000

type Done = (status: number, ms: number) => void
type Connection = { socket: Socket; begun: number; done: Done | undefined; text: string; missing: number }

const idle: Connection[] = []
let open = 0
let failed = 0

function connection(): Connection {
  const made: Connection = { socket: connect(Number(port), hostname), begun: 0, done: undefined, text: '', missing: -1 }
  open++
  made.socket.setNoDelay(true)
  made.socket.on('data', (chunk) => receive(made, chunk))
  made.socket.on('error', () => {})
  made.socket.on('close', () => {
    open--
    if (made.done) failed++
    const at = idle.indexOf(made)
    if (at >= 0) idle.splice(at, 1)
  })
  return made
}

/** Reads an answer with a Content-Length; there are no others here. */
function receive(one: Connection, chunk: Buffer): void {
  if (one.missing >= 0) {
    one.missing -= chunk.length
  } else {
    one.text += chunk.toString('latin1')
    const end = one.text.indexOf('\r\n\r\n')
    if (end < 0) return
    one.missing = Number(/content-length: (\d+)/i.exec(one.text)?.[1]) - (one.text.length - end - 4)
  }
  if (one.missing > 0) return
  const { done, begun, text } = one
  Object.assign(one, { done: undefined, text: '', missing: -1 })
  idle.push(one)
  done?.(Number(text.slice(9, 12)), performance.now() - begun)
}

const bytes = requests.map(({ method, path, headers, body = '' }) => {
  const lines = Object.entries({ host: `${hostname}:${port}`, ...headers, 'content-length': String(Buffer.byteLength(body)) })
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
})

const statuses: Record<string, number> = {}
const good: number[] = []
const refused: number[] = []
let late = 0
let sent = 0
let skipped = 0

function send(text: string, due: number, done: Done): void {
  const one = idle.pop() ?? (open < MOST ? connection() : undefined)
  if (!one) {
    skipped++
    return
  }
  Object.assign(one, { begun: due, done })
  one.socket.write(text)
}

const begun = performance.now()
const last = begun + seconds * 1000
await new Promise<void>((resolve) => {
  const tick = () => {
    const now = performance.now()
    const due = Math.floor(((Math.min(now, last) - begun) / 1000) * perSecond)
    while (sent < due) {
      send(bytes[sent % bytes.length] ?? '', begun + (sent / perSecond) * 1000, (status, ms) => {
        statuses[status] = (statuses[status] ?? 0) + 1
        if (performance.now() > last && status < 400) return
        ;(status < 400 ? good : refused).push(ms)
      })
      sent++
    }
    late = Math.max(late, performance.now() - begun - (sent / perSecond) * 1000)
    if (now < last) setTimeout(tick, 1)
    else resolve()
  }
  tick()
})
const answered = () => Object.values(statuses).reduce((sum, count) => sum + count, 0) + failed + skipped
for (const end = performance.now() + GRACE; answered() < sent && performance.now() < end; )
  await new Promise((next) => setTimeout(next, 50))

const load: OpenLoad = {
  sent,
  statuses,
  unanswered: sent - (answered() - failed - skipped),
  goodput: good.length / seconds,
  p50: quantile(good, 0.5),
  p99: quantile(good, 0.99),
  max: Math.max(...good),
  refusedP99: quantile(refused, 0.99),
  late,
}
process.stdout.write(JSON.stringify(load))
process.exit(0)
