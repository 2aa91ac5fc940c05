// Processes to measure: each is started as its image starts it, and says by its log where it listens.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'

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

export type Started = { child: ChildProcess; pid: number; url: string; begun: number }

/** Starts a script that logs `{"port": …}` when it listens. `begun` is when. @throws Error when it ends instead */
export async function startProcess(script: string, environment: Record<string, string>, flags: readonly string[] = []): Promise<Started> {
  const begun = performance.now()
  // Twins get what the image gives, too: like runs against like.
  const child = spawn(process.execPath, [...(/^main\.m?js$/.test(path.basename(script)) ? imageFlags : []), ...flags, script], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`${script} ended with status ${code}`)
  })
  gone.catch(() => {})
  const lines = createInterface(child.stdout)
  const [line] = await Promise.race([once(lines, 'line'), gone])
  // The log is read on, as a platform does, but not looked at: taking it apart would compete with what is measured.
  lines.close()
  child.stdout.resume()
  return { child, pid: child.pid ?? 0, url: `http://127.0.0.1:${JSON.parse(line).port}`, begun }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

/** Runs with processes that end when it does, however it does. */
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
    await Promise.all(started.map(({ child }) => end(child, 'SIGKILL')))
  }
}

export type Memory = { rss: number; pss: number; own: number }

/**
 * A process's memory in MB: resident, its share of what it has in common with others, and what nobody else has.
 * Linux only; NaN elsewhere.
 */
export async function memoryOf(pid: number): Promise<Memory> {
  const rollup = await fs.readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
  const megabytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN) / 1024
  return { rss: megabytes('Rss'), pss: megabytes('Pss'), own: megabytes('Private_Clean') + megabytes('Private_Dirty') }
}

/** Milliseconds that a process has kept a processor busy, to the nearest 10. Linux only; NaN elsewhere. */
export async function processorTime(pid: number): Promise<number> {
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // Behind the name, which may hold anything, in parentheses: utime and stime, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) * 10
}
