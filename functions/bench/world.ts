// What is measured, and on what: the built bundles, each as a process of its own, on a PostgreSQL of their own, for one user.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { createDb } from '@todo/prisma'
import { startTemporary } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import { v7 as uuidv7 } from 'uuid'
import { ownIssuer, readEnv } from '../../shared/env.ts'
import { makeTokenIssuer } from '../../shared/identity/tokens.ts'

export type World = Awaited<ReturnType<typeof makeWorld>>

export async function makeWorld() {
  // Durable, as it would be anywhere that matters.
  const server = await startTemporary({ durable: true })
  const url = await server.database('todo')
  await migrate({ url })
  const environment = {
    DATABASE_URL: url,
    BETTER_AUTH_SECRET: randomBytes(32).toString('hex'),
    TOKEN_LIFETIME_SECONDS: '86400',
    PORT: '0',
    HOST: '127.0.0.1',
  }
  const db = createDb({ url })
  const user = { id: uuidv7(), email: 'bench@example.com' }
  await db.user.create({ data: { ...user, username: 'bench', usernameKey: 'bench', passwordHash: 'none' } })
  const { token } = await makeTokenIssuer(ownIssuer(readEnv(environment)), () => new Date())(user)
  return {
    db,
    environment,
    user,
    authorization: `Bearer ${token}`,
    async stop() {
      await db.$disconnect()
      await server.stop()
    },
  }
}

/** Starts a script that logs `{"port": …}` when it listens. @throws Error when it ends instead */
export async function startProcess(script: string, environment: Record<string, string>) {
  const begun = performance.now()
  const child = spawn(process.execPath, [script], { env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`${script} ended with status ${code}`)
  })
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), gone])
  gone.catch(() => {})
  return { child, pid: child.pid ?? 0, url: `http://127.0.0.1:${JSON.parse(line).port}`, begun }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

export const bundle = (name: string) => path.join(import.meta.dirname, '..', '..', 'dist', name, 'main.js')

/** Resident memory of a process, in MB. Linux only; NaN elsewhere. */
export async function residentMemory(pid: number): Promise<number> {
  const status = await fs.readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024
}

/** The value below which a share of them lies; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
