// A function as the platform runs it: a process of its own that is told what to do by its environment and by signals.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'
import '../../functions/_e2e/time-limits.ts'

export type FunctionProcess = {
  /** Where it listens, without a slash at the end. */
  url: string
  /** What it has logged so far, a line each; grows while it runs. */
  lines: Record<string, unknown>[]
  /**
   * Sends the signal (SIGTERM unless another is named) and waits until the process is gone.
   * @throws Error when SIGTERM or SIGINT does not end it with status 0. SIGKILL may end it as it likes.
   */
  stop(signal?: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<void>
}

const running = new Set<() => Promise<void>>()
// A test that failed half-way leaves no process behind.
afterAll(() => Promise.all([...running].map((kill) => kill())))

/** Waits until a process has ended: its status, and all that it wrote. */
export async function ended(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      output += chunk
    })
  const [code] = await once(child, 'close')
  return { code, output }
}

/**
 * Starts `functions/<name>/main.ts` and resolves once it listens. `environment` is all that it gets, but for the PATH; with PORT=0 it
 * picks a free port.
 * @throws Error with what it wrote to standard error, when it ends instead of listening.
 */
export async function startFunction(name: string, environment: Record<string, string>): Promise<FunctionProcess> {
  const main = path.join(import.meta.dirname, '..', '..', 'functions', name, 'main.ts')
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const gone = once(child, 'close')
  const kill = async () => {
    child.kill('SIGKILL')
    await gone
  }
  running.add(kill)
  gone.then(() => running.delete(kill))

  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  const lines: Record<string, unknown>[] = []
  const port = await new Promise((listening, failed) => {
    createInterface(child.stdout).on('line', (text) => {
      const line = JSON.parse(text)
      lines.push(line)
      if (line.message === 'listening') listening(line.port)
    })
    gone.then(([code]) => failed(new Error(`${name} ended with status ${code}: ${complaint.trim() || JSON.stringify(lines)}`)))
  })

  return {
    url: `http://127.0.0.1:${port}`,
    lines,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const [code, by] = await gone
      if (signal !== 'SIGKILL' && code !== 0) throw new Error(`${name} ended with ${by ?? `status ${code}`}: ${complaint.trim()}`)
    },
  }
}
