// The one starter of processes for tests, the bench and the image check: reads their output, waits for a line of it, and ends them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** How a process ended, and everything that it wrote to standard output and standard error. */
export type Ended = { code: number | null; signal: NodeJS.Signals | null; output: string }

export type Child = {
  pid: number
  /** The lines of standard output so far; grows while the process runs. */
  lines: string[]
  /** Everything that it has written to standard output and standard error so far. */
  output(): string
  /** Everything that it has written to standard error so far. */
  errors(): string
  /**
   * Resolves with the first match among the lines of standard output, past or future.
   * @throws Error with its output, when the process ends without one
   */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Calls `listener` with each line of standard output that is still to come. */
  onLine(listener: (line: string) => void): void
  /** Resolves when the process has ended and all its output is read. */
  ended: Promise<Ended>
  /** Sends a signal and waits for the end. A no-op for a process that has ended. */
  kill(signal: NodeJS.Signals): Promise<Ended>
  /** From now on standard output is drained but not parsed, because parsing would compete with the measured process. */
  ignoreOutput(): void
}

/** Starts a program. `environment` is its whole environment, except for PATH, which it gets from this process. */
export function startChild(command: string, args: readonly string[], environment: NodeJS.ProcessEnv): Child {
  const child = spawn(command, args, { env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  const collect = (chunk: Buffer) => {
    output += chunk
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect).on('data', (chunk) => {
    errors += chunk
  })
  const lines: string[] = []
  const reader = createInterface(child.stdout).on('line', (line) => lines.push(line))
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal, output }))

  return {
    pid: child.pid ?? 0,
    lines,
    output: () => output,
    errors: () => errors,
    ended,
    onLine: (listener) => void reader.on('line', listener),
    line(pattern) {
      return new Promise((resolve, reject) => {
        const look = (line: string) => {
          const match = pattern.exec(line)
          if (match) reader.off('line', look)
          if (match) resolve(match)
          return match !== null
        }
        if (lines.some(look)) return
        reader.on('line', look)
        ended.then(
          ({ code, signal }) => reject(new Error(`ended with ${signal ?? `status ${code}`}: ${(errors || output).trim()}`)),
          reject,
        )
      })
    },
    kill(signal) {
      child.kill(signal)
      return ended
    },
    ignoreOutput() {
      reader.close()
      child.stdout.off('data', collect).resume()
    },
  }
}

/** The line that a function logs when it accepts connections, and its port. */
export const LISTENING = /"port":(\d+)/
