// A stand-in for Knative's queue-proxy, which stands between the network and a function in each pod: the gate, the timeouts, probes and
// the drain, as in knative.dev/serving v0.50 (pkg/queue/breaker.go, pkg/http/handler/timeout.go, pkg/queue/readiness/probe.go) and
// knative.dev/pkg/network/handlers/drain.go. Left out: metrics, HTTP/2, the shim for `Forwarded`, and that a drain gives sockets 60 s.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import pLimit from 'p-limit'
import { type Exchange, passOn, startProxy } from './reverse-proxy.ts'

/** Milliseconds, unless said otherwise. */
export type QueueProxyOptions = {
  /** How long a request, or a connection that was upgraded, may last: `timeoutSeconds`. */
  timeout?: number
  /** How long it may take until the answer begins; for one that was upgraded it never does: `responseStartTimeoutSeconds`. */
  responseStartTimeout?: number | undefined
  /** How long an answer may pause; one that was upgraded counts as pausing: `idleTimeoutSeconds`. */
  idleTimeout?: number | undefined
  /** Requests that run at once, ten times as many wait; 0 for any: `containerConcurrency`. */
  concurrency?: number
  /** How long no request may have come before the function gets SIGTERM; 30 s on a cluster. */
  quiet?: number
}

/** Between two looks at a function that is not ready yet, and how long each may take, when the probe has no `periodSeconds`. */
const PROBE = { interval: 50, timeout: 100, patience: 10_000 }
const MESSAGE = 'request timeout'

/** Stands before the function on that port of this machine. */
export async function startQueueProxy(target: number, options: QueueProxyOptions = {}) {
  const { concurrency = 0, quiet = 500 } = options
  const agent = new http.Agent({ keepAlive: true })
  const gate = concurrency > 0 ? pLimit(concurrency) : undefined
  let quietTimer: NodeJS.Timeout | undefined
  let probing: Promise<boolean> | undefined

  async function probe({ response }: Exchange): Promise<void> {
    if (quietTimer) return refuse(response, 503, 'shutting down')
    // One at a time: concurrent probes share its result.
    probing ??= untilReady(target, agent).finally(() => {
      probing = undefined
    })
    response.writeHead((await probing) ? 200 : 503).end()
  }

  async function serve(exchange: Exchange): Promise<void> {
    quietTimer?.refresh()
    const { signal, onWrite, settle } = limitTime(exchange, options)
    const run = () => (signal.aborted ? undefined : passOn(exchange, { port: target, agent, signal, onWrite }))
    if (gate && gate.activeCount + gate.pendingCount >= 11 * concurrency) refuse(exchange.response, 503, 'pending request queue full')
    else await (gate ? gate(run) : run())
    settle()
  }

  const server = await startProxy((exchange) => {
    const isProbe = exchange.request.headers['user-agent']?.startsWith('kube-probe/')
    return isProbe ? probe(exchange) : serve(exchange)
  })
  return {
    url: server.url,
    /** The status of the readiness probe that Kubernetes makes. */
    probe: async () => (await fetch(server.url, { headers: { 'user-agent': 'kube-probe/1.34', 'k-network-probe': 'queue' } })).status,
    /** Is not ready from now on, still serves requests, and resolves when none has come for the quiet period. */
    quietened: () =>
      new Promise<void>((resolve) => {
        quietTimer = setTimeout(resolve, quiet)
      }),
    /** Accepts no more connections; resolves when the running requests are over. */
    async close() {
      await server.close()
      agent.destroy()
    },
    cut: server.cut,
  }
}

/** Cuts what lasts too long: 504 if the answer has not begun, else it ends where it is; a connection is cut without a word. */
function limitTime({ response }: Exchange, { timeout = 300_000, responseStartTimeout, idleTimeout }: QueueProxyOptions) {
  const over = new AbortController()
  const timers: NodeJS.Timeout[] = []
  let lastWrite = Number.NEGATIVE_INFINITY
  function cut() {
    if (over.signal.aborted) return
    over.abort()
    if (!response.headersSent) response.writeHead(504, { 'content-type': 'text/plain' })
    response.end(MESSAGE)
  }
  function cutIfIdle(limit: number) {
    const left = lastWrite + limit - performance.now()
    if (left <= 0) cut()
    else timers.push(setTimeout(cutIfIdle, left, limit))
  }
  timers.push(setTimeout(cut, timeout))
  if (responseStartTimeout) timers.push(setTimeout(() => lastWrite < 0 && cut(), responseStartTimeout))
  if (idleTimeout) timers.push(setTimeout(cutIfIdle, idleTimeout, idleTimeout))
  return {
    signal: over.signal,
    onWrite() {
      lastWrite = performance.now()
    },
    settle: () => timers.forEach(clearTimeout),
  }
}

function refuse(response: http.ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${message}\n`)
}

/** A port that nothing listens on, for a function that starts after its queue-proxy. */
export async function freePort(): Promise<number> {
  const taken = await startProxy(() => {})
  await taken.close()
  return taken.port
}

/** Probes the function until it is ready, for ten seconds. */
async function untilReady(port: number, agent: http.Agent): Promise<boolean> {
  for (const deadline = performance.now() + PROBE.patience; performance.now() < deadline; await sleep(PROBE.interval)) {
    if (await isReady(port, agent)) return true
  }
  return false
}

function isReady(port: number, agent: http.Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, agent, path: '/health/ready', headers: { 'user-agent': 'kube-probe/' } }
    const request = http.get(options, (answer) => answer.resume().on('end', () => resolve((answer.statusCode ?? 500) < 400)))
    const late = setTimeout(() => request.destroy(), PROBE.timeout)
    request.on('error', () => resolve(false))
    request.on('close', () => {
      clearTimeout(late)
      resolve(false)
    })
  })
}
