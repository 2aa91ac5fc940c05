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

/** @throws Error unless every request was answered with `status` */
export async function load(order: LoadOrder, status: number): Promise<Load> {
  const { stdout } = await run(process.execPath, [path.join(import.meta.dirname, 'load-process.ts'), JSON.stringify(order)], {
    maxBuffer: 2 ** 20,
  })
  const result: Load = JSON.parse(stdout)
  const others = Object.keys(result.statuses).filter((seen) => seen !== String(status))
  if (others.length > 0 || result.errors > 0 || result.requests === 0) {
    const { requests, statuses, errors } = result
    const [first] = order.requests
    throw new Error(
      `${first?.method} ${first?.path}: ${requests} answers ${JSON.stringify(statuses)}, ${errors} errors; ${status} expected`,
    )
  }
  return result
}
