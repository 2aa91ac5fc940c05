import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { commandOf, type EmbeddedServer, startEmbedded } from './embedded.ts'
import { run } from './testing.ts'

// Several servers are started in each.
vi.setConfig({ testTimeout: 60_000 })

const asRoot = process.getuid?.() === 0
const SMALL = { shared_buffers: '1MB', max_connections: '10' }

async function newDirectory(mode = 0o711) {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-embedded-'))
  await fs.chmod(directory, mode)
  onTestFinished(() => fs.rm(directory, { recursive: true }))
  return path.join(directory, 'postgres')
}

async function start(directory: string, { durable = false } = {}): Promise<EmbeddedServer> {
  const server = await startEmbedded({ directory, durable, settings: SMALL })
  onTestFinished(() => server.stop())
  return server
}

const postmaster = async (directory: string) => Number((await fs.readFile(path.join(directory, 'postmaster.pid'), 'utf8')).split('\n')[0])
/** The processes of a directory: the server and its supervisor. A slim Linux image has no `ps`. */
function processesOn(directory: string): string[] {
  const commands =
    process.platform === 'linux'
      ? readdirSync('/proc').map((name) => commandOf(Number(name)))
      : spawnSync('ps', ['-ww', '-e', '-o', 'args='], { encoding: 'utf8' }).stdout.split('\n')
  return commands.filter((command) => command.includes(directory))
}

describe('the embedded server', () => {
  it('starts, keeps committed rows over a stop, and leaves no process behind', async () => {
    const directory = await newDirectory()
    const first = await start(directory)
    await run(await first.database('todo'), "CREATE TABLE kept AS SELECT 'ä' AS value")
    expect(processesOn(directory)).not.toEqual([])
    await first.stop()
    await first.stop()
    expect(processesOn(directory)).toEqual([])
    const second = await start(directory)
    expect(await run(await second.database('todo'), 'SELECT value FROM kept')).toEqual([{ value: 'ä' }])
  })

  it('runs two servers side by side, each on its own port', async () => {
    const [one, other] = [await newDirectory(), await newDirectory()]
    const servers = await Promise.all([start(one), start(other)])
    const directories = await Promise.all(
      servers.map(async (server) => (await run(await server.database('postgres'), 'SHOW data_directory'))[0]),
    )
    expect(directories).toEqual([one, other].map((data_directory) => ({ data_directory })))
    expect(servers[0].port).not.toBe(servers[1].port)
  })

  it('survives the kill -9 of its owner with every committed row, and ends by itself', async () => {
    const directory = await newDirectory()
    const module = pathToFileURL(path.join(import.meta.dirname, 'embedded.ts')).href
    const script = `import { startEmbedded } from '${module}'
      const server = await startEmbedded({ directory: process.argv[1], durable: true, settings: ${JSON.stringify(SMALL)} })
      process.stdout.write(await server.database('todo'))
      setInterval(() => {}, 1000)`
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [url] = await once(owner.stdout, 'data')
    await run(String(url), 'CREATE TABLE kept (id int)')
    for (let id = 0; id < 20; id++) await run(String(url), `INSERT INTO kept VALUES (${id})`)
    owner.kill('SIGKILL')
    // At once, while the old server may still be ending.
    const server = await start(directory)
    expect(await run(await server.database('todo'), 'SELECT count(*)::int FROM kept')).toEqual([{ count: 20 }])
    await server.stop()
    while (processesOn(directory).length > 0) await sleep(20)
  })

  it('survives a crash of the server, and a stale lock file that names an unrelated process', async () => {
    const directory = await newDirectory()
    const other = await start(await newDirectory())
    const otherDirectory = String((await run(await other.database('postgres'), 'SHOW data_directory'))[0]?.data_directory)
    const stranger = spawn('sleep', ['600'])
    onTestFinished(() => void stranger.kill())

    const crashed = await start(directory, { durable: true })
    await run(await crashed.database('todo'), 'CREATE TABLE kept AS SELECT 1 AS value')
    const file = path.join(directory, 'postmaster.pid')
    const lock = await fs.readFile(file, 'utf8')
    process.kill(await postmaster(directory), 'SIGKILL')
    await crashed.stop()
    for (const pid of [stranger.pid, await postmaster(otherDirectory)]) {
      await fs.writeFile(file, lock.replace(/^\d+/, String(pid)))
      const server = await start(directory)
      expect(await run(await server.database('todo'), 'SELECT value FROM kept')).toEqual([{ value: 1 }])
      await server.stop()
    }
    expect(stranger.exitCode).toBeNull()
    expect(await run(await other.database('postgres'), 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it.runIf(asRoot)('works below a directory that only root can enter', async () => {
    const directory = await newDirectory(0o700)
    const server = await start(directory)
    const target = await fs.readlink(directory)
    onTestFinished(async () => {
      await server.stop()
      for (const left of [target, `${target}.log`, `${target}.password`]) await fs.rm(left, { recursive: true, force: true })
    })
    await run(await server.database('todo'), 'CREATE TABLE kept AS SELECT 1 AS value')
    await server.stop()
    const again = await start(directory)
    expect(await run(await again.database('todo'), 'SELECT value FROM kept')).toEqual([{ value: 1 }])
    expect((await fs.stat(target)).mode & 0o077).toBe(0)
    expect((await fs.stat(`${target}.password`)).mode & 0o077).toBe(0)
  })
})
