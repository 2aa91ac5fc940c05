// Load on a server, made by another process, so that whoever measures does not compete with what is measured.
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

export type Sent = { method: 'GET' | 'POST' | 'PATCH'; path: string; headers: Record<string, string>; body?: string }
export type LoadOrder = { url: string; seconds: number; connections: number; requests: readonly Sent[] }
export type Load = {
  requests: number
  perSecond: number
  /** Milliseconds. */
  p50: number
  p99: number
  /** How many answers had which status. */
  statuses: Record<string, number>
  /** Requests that got no answer. */
  errors: number
  /** The share of a processor that making the load took. */
  busy: number
}

const run = promisify(execFile)

/** @throws Error unless every request was answered with one of these statuses */
export async function load(order: LoadOrder, ...expected: number[]): Promise<Load> {
  const script = path.join(import.meta.dirname, 'load-process.ts')
  let result: Load
  do {
    const { stdout } = await run(process.execPath, [script, JSON.stringify(order)], { maxBuffer: 2 ** 20 })
    result = JSON.parse(stdout)
    // On a machine that is busy with something else, a short time may be over before anything was answered.
  } while (result.requests === 0 && result.errors === 0)
  const others = Object.keys(result.statuses).filter((seen) => !expected.includes(Number(seen)))
  if (others.length > 0 || result.errors > 0 || result.requests === 0) {
    const { requests, statuses, errors } = result
    const [first] = order.requests
    throw new Error(
      `${first?.method} ${first?.path}: ${requests} answers ${JSON.stringify(statuses)}, ${errors} errors; ${expected} expected`,
    )
  }
  return result
}
