// A function as the platform runs it: a process of its own, configured by its environment and ended by signals.
import path from 'node:path'
import { afterAll } from 'vitest'
import { type Child, LISTENING, startChild } from './child.ts'

export type FunctionProcess = {
  /** Where it listens, without a slash at the end. */
  url: string
  /** Its log so far, one entry a line; grows while it runs. */
  lines: Record<string, unknown>[]
  /**
   * Sends the signal (default SIGTERM) and waits until the process has ended.
   * @throws Error when SIGTERM or SIGINT does not end it with status 0. After SIGKILL any status is fine.
   */
  stop(signal?: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<void>
}

const running = new Set<Child>()
// A test that failed half-way leaves no process behind.
afterAll(() => Promise.all([...running].map((child) => child.kill('SIGKILL'))))

/** Starts a script with Node; it is killed when the test file ends. `flags` are options of Node, `args` arguments of the script. */
export function startScript(
  script: string,
  environment: Record<string, string>,
  flags: readonly string[] = [],
  args: readonly string[] = [],
): Child {
  const child = startChild(process.execPath, [...flags, script, ...args], environment)
  running.add(child)
  child.ended.then(() => running.delete(child))
  return child
}

/**
 * Starts `functions/<name>/main.ts` and resolves once it listens. `environment` is its whole environment, except for PATH; with PORT=0 it
 * picks a free port.
 * @throws Error with its standard error, when it ends instead of listening
 */
export async function startFunction(name: string, environment: Record<string, string>): Promise<FunctionProcess> {
  const child = startScript(path.join(import.meta.dirname, '..', '..', 'functions', name, 'main.ts'), environment)
  const lines: Record<string, unknown>[] = []
  child.onLine((line) => lines.push(JSON.parse(line)))
  const [, port] = await child.line(LISTENING).catch((error: Error) => Promise.reject(new Error(`${name} ${error.message}`)))
  return {
    url: `http://127.0.0.1:${port}`,
    lines,
    async stop(signal = 'SIGTERM') {
      const { code, signal: by } = await child.kill(signal)
      if (signal !== 'SIGKILL' && code !== 0) throw new Error(`${name} ended with ${by ?? `status ${code}`}: ${child.errors().trim()}`)
    },
  }
}
