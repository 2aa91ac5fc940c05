// Processes to measure, each started as its image starts it.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Child, LISTENING, startChild } from '../../shared/testing/child.ts'

export const dist = path.join(import.meta.dirname, '..', '..', 'dist')
/** The bundle of a function. */
export const bundle = (name: string) => path.join(dist, name, 'main.js')
/** What an image gives node before that: the beginning of the last CMD of the Dockerfile. */
const [command = '[]'] =
  readFileSync(path.join(dist, '..', 'Dockerfile'), 'utf8')
    .match(/(?<=^CMD ).*/gm)
    ?.slice(-1) ?? []
const imageFlags: readonly string[] = JSON.parse(command).slice(0, -1)
/** The least that Node can do. */
export const bare = path.join(import.meta.dirname, 'bare.mjs')

/** `begun` is the time of the start, as `performance.now()` has it. */
export type Started = Child & { url: string; begun: number }

/** Starts a script that logs its port when it listens. `flags` are options of Node. @throws Error when it ends instead */
export async function startProcess(script: string, environment: Record<string, string>, flags: readonly string[] = []): Promise<Started> {
  const begun = performance.now()
  // Twins get the image's flags, too: like runs against like.
  const own = /^main\.m?js$/.test(path.basename(script)) ? imageFlags : []
  const child = startChild(process.execPath, [...own, ...flags, script], environment)
  const [, port] = await child.line(LISTENING)
  child.ignoreOutput()
  return { ...child, url: `http://127.0.0.1:${port}`, begun }
}

/** Starts each script, and kills the processes when `run` is over, even when it fails. */
export async function withProcesses<T>(
  scripts: readonly string[],
  environment: Record<string, string>,
  run: (started: Started[]) => Promise<T>,
): Promise<T> {
  const started: Started[] = []
  try {
    for (const script of scripts) started.push(await startProcess(script, environment))
    return await run(started)
  } finally {
    await Promise.all(started.map((child) => child.kill('SIGKILL')))
  }
}
