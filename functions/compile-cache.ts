// Bakes compiled code into an image: runs a bundle as its image will be run, until it has answered from a database, and stops it, which is
// when Node writes what V8 has compiled. Node ignores what another version, user, folder or kind of processor has left, so the Dockerfile
// calls this with the runtime image's own node:  /nodejs/bin/node functions/compile-cache.ts todos /function
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { makeWorld, type User } from './bench/world.ts'

/** The user of the runtime image. */
const NONROOT = { uid: 65532, gid: 65532 }

/** What is compiled for the first request is worth keeping too. */
const firstRequests = (user: User): Record<string, string> => ({
  todos: `/api/v1/${user.id}/todos`,
  users: '/api/v1/me',
  auth: '/api/v1/validate-token',
  chat: '/api/v1/conversations',
})

/** Resolves with the port once the function listens, or with nothing when it has ended, as a migration does. */
function listening(child: ReturnType<typeof start>): Promise<number | undefined> {
  return new Promise((settle) => {
    createInterface(child.stdout).on('line', (line) => {
      const port = /"port":(\d+)/.exec(line)?.[1]
      if (port) settle(Number(port))
    })
    child.once('exit', () => settle(undefined))
  })
}

function start(folder: string, environment: Record<string, string>) {
  return spawn(process.execPath, ['main.js'], { cwd: folder, ...NONROOT, env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
}

const [name = '', folder = ''] = process.argv.slice(2)
const cache = path.join(folder, 'compiled')
await fs.mkdir(cache)
await fs.chown(cache, NONROOT.uid, NONROOT.gid)
const world = await makeWorld()
try {
  const user = await world.newUser()
  const child = start(folder, { ...world.environment, NODE_COMPILE_CACHE: cache })
  const ended = once(child, 'exit')
  const port = await listening(child)
  for (const request of port ? ['/health/ready', firstRequests(user)[name] ?? '/health/live'] : []) {
    const { ok, status } = await fetch(`http://127.0.0.1:${port}${request}`, { headers: { authorization: user.authorization } })
    if (!ok) throw new Error(`${name} answered ${request} with ${status}`)
  }
  child.kill()
  const [code] = await ended
  if (code !== 0) throw new Error(`${name} ended with status ${code}`)
  if ((await fs.readdir(cache)).length === 0) throw new Error('Node wrote nothing')
} finally {
  await world.stop()
}
