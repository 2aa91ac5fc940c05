// A function as it runs on a cluster: its process behind a queue-proxy, deleted as Kubernetes deletes pods, and an ingress before several.
import http from 'node:http'
import { afterAll } from 'vitest'
import { type FunctionProcess, startFunction } from '../../shared/testing/process.ts'
import { type QueueProxyOptions, startQueueProxy } from './queue-proxy.ts'
import { passOn, startProxy } from './reverse-proxy.ts'

export type Pod = {
  url: string
  function: FunctionProcess
  /** The status of a readiness probe. */
  probe(): Promise<number>
  /**
   * Deletes it: not ready at once, SIGTERM to the function when requests have stopped, SIGKILL after the grace period. `signalled`
   * resolves at SIGTERM, `ended` when the function and its proxy have ended.
   * @throws Error from `ended` when the function had to be killed, or ended with another status than 0
   */
  delete(): { signalled: Promise<void>; ended: Promise<void> }
}

const cuts = new Set<() => void>()
// A test that failed half-way leaves no connection behind.
afterAll(() => {
  for (const cut of cuts) cut()
})

/** Starts one and waits until it is ready. `grace` in milliseconds: `timeoutSeconds`, which is also the grace of its pods. */
export async function startPod(name: string, environment: Record<string, string>, options: QueueProxyOptions & { grace?: number } = {}) {
  const { grace = 60_000 } = options
  const process = await startFunction(name, environment)
  const proxy = await startQueueProxy(Number(new URL(process.url).port), options)
  cuts.add(proxy.cut)
  const pod: Pod = {
    url: proxy.url,
    function: process,
    probe: proxy.probe,
    delete() {
      const late = setTimeout(() => process.stop('SIGKILL'), grace)
      const signalled = proxy.quietened()
      const ended = signalled
        .then(() => Promise.all([process.stop('SIGTERM'), proxy.close()]))
        .finally(() => clearTimeout(late))
        .then(() => {})
      return { signalled, ended }
    },
  }
  const status = await pod.probe()
  if (status !== 200) throw new Error(`${name} does not become ready: ${JSON.stringify(process.lines)}`)
  return pod
}

/** Sends requests to pods in turn, over kept connections, and never twice. */
export async function startIngress(...first: Pod[]) {
  let pods = first
  let turn = 0
  const agent = new http.Agent({ keepAlive: true })
  const server = await startProxy((exchange) => {
    const pod = pods[turn++ % pods.length]
    passOn(exchange, { port: Number(new URL(pod?.url ?? '').port), agent })
  })
  cuts.add(server.cut)
  return {
    url: server.url,
    /** From now on to these. */
    route(...next: Pod[]) {
      pods = next
    },
    async stop() {
      await server.close()
      agent.destroy()
    },
  }
}
