// The data folder of the embedded server: who may use it, what a crash leaves in it, what makes it unusable.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from './embedded.ts'
import { StartupError } from './startup-error.ts'
import { run } from './testing.ts'

// Several servers are started in each.
vi.setConfig({ testTimeout: 60_000 })

const asRoot = process.getuid?.() === 0
const SMALL = { shared_buffers: '1MB', max_connections: '10' }

async function newHome(mode = 0o711) {
  const home = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-folder-'))
  await fs.chmod(home, mode)
  // A server whose owner was killed may still be ending.
  onTestFinished(() => fs.rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }))
  return home
}

async function start(directory: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedServer> {
  const server = await startEmbedded({ directory, durable: false, settings: SMALL, ...options })
  onTestFinished(() => server.stop())
  return server
}

/** The message of the StartupError that a start ends with: one line. */
async function refusal(directory: string): Promise<string> {
  const error = await start(directory).then(
    () => expect.fail('it started'),
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(StartupError)
  expect(error.message).not.toContain('\n')
  return error.message
}

const EMBEDDED = pathToFileURL(path.join(import.meta.dirname, 'embedded.ts')).href
const STARTER = `import { startEmbedded } from '${EMBEDDED}'
  const [directory, rootHome] = process.argv.slice(1)
  const settings = ${JSON.stringify(SMALL)}
  try {
    const server = await startEmbedded({ directory, durable: true, settings, rootHome: rootHome || undefined })
    process.stdout.write(await server.database('todo'))
    setInterval(() => {}, 1000)
  } catch (error) {
    process.stdout.write(error.name + ': ' + error.message)
    process.exitCode = 1
  }`

/** A start in its own process: its first output is a URL, or the reason for its failure. */
function startElsewhere(args: string[], command = process.execPath, prefix: string[] = []) {
  const child: ChildProcess = spawn(command, [...prefix, '--input-type=module', '-e', STARTER, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'close')
  const kill = async () => {
    child.kill('SIGKILL')
    await gone
  }
  onTestFinished(kill)
  const words = Promise.race([once(child.stdout ?? expect.fail(), 'data').then(([chunk]) => String(chunk)), gone.then(() => '')])
  return { pid: child.pid, words, kill }
}

describe('starts at the same time on one folder', () => {
  it('starts one server of many at once on a folder: the others end with a line that names its process', async () => {
    const directory = path.join(await newHome(), 'postgres')
    const starts = Array.from({ length: 5 }, () => startElsewhere([directory]))
    const words = await Promise.all(starts.map((one) => one.words))
    const winners = starts.filter((_, index) => words[index]?.startsWith('postgresql://'))
    expect(winners).toHaveLength(1)
    for (const line of words.filter((line) => !line.startsWith('postgresql://'))) {
      expect(line).toMatch(new RegExp(`^StartupError: ${directory} is in use \\(process ${winners[0]?.pid}\\): [^\\n]*DATA_DIRECTORY$`))
    }
  })

  it('keeps the data of earlier starts, however often a start is killed', async () => {
    const directory = path.join(await newHome(), 'postgres')
    // Killed in the middle of the first start, and of later ones.
    for (const ms of [150, 400, 900]) {
      const starts = Array.from({ length: 3 }, () => startElsewhere([directory]))
      await sleep(ms)
      await Promise.all(starts.map((one) => one.kill()))
    }
    const server = await start(directory)
    await run(await server.database('todo'), 'CREATE TABLE kept AS SELECT 1 AS value')
    await server.stop()
    for (let round = 0; round < 2; round++) {
      const starts = Array.from({ length: 3 }, () => startElsewhere([directory]))
      const words = await Promise.all(starts.map((one) => one.words))
      const url = words.find((line) => line.startsWith('postgresql://')) ?? expect.fail(words.join('\n'))
      expect(await run(url, 'SELECT value FROM kept')).toEqual([{ value: 1 }])
      await Promise.all(starts.map((one) => one.kill()))
    }
    const again = await start(directory)
    expect(await run(await again.database('todo'), 'SELECT value FROM kept')).toEqual([{ value: 1 }])
  })

  it('removes the half-made cluster of a killed start', async () => {
    const directory = path.join(await newHome(), 'postgres')
    const leftover = `${directory}.init-1-0123abcd`
    for (const _ of ['without a cluster', 'beside one']) {
      await fs.mkdir(path.join(leftover, 'base'), { recursive: true })
      await (await start(directory)).stop()
      await expect(fs.stat(leftover)).rejects.toThrow('ENOENT')
    }
  })

  it('names the announced address of the first server to a second start', async () => {
    const directory = path.join(await newHome(), 'postgres')
    const server = await start(directory)
    server.announce('http://localhost:8000')
    expect(await refusal(directory)).toContain(`is in use (process ${process.pid}, http://localhost:8000)`)
  })

  it('starts again on a folder after a stop, which leaves no lock behind', async () => {
    const directory = path.join(await newHome(), 'postgres')
    await (await start(directory)).stop()
    await (await start(directory)).stop()
  })
})

describe('the password file', () => {
  it.each(['', undefined])('recreates the password file of an existing cluster when a crash has left it as %j', async (content) => {
    const directory = path.join(await newHome(), 'postgres')
    const first = await start(directory)
    await run(await first.database('todo'), 'CREATE TABLE kept AS SELECT 1 AS value')
    await first.stop()
    await fs.rm(`${directory}.password`)
    if (content !== undefined) await fs.writeFile(`${directory}.password`, content)
    const second = await start(directory)
    expect(await run(await second.database('todo'), 'SELECT value FROM kept')).toEqual([{ value: 1 }])
    expect((await fs.stat(`${directory}.password`)).mode & 0o777).toBe(0o600)
  })

  it('names the password file when it holds another password than the cluster', async () => {
    const directory = path.join(await newHome(), 'postgres')
    await (await start(directory)).stop()
    await fs.writeFile(`${directory}.password`, 'another one')
    const server = await start(directory)
    await expect(server.database('todo')).rejects.toThrow(
      new StartupError(`${directory}.password does not hold the password: delete it, and the next start sets a new one`),
    )
  })
})

describe('a folder that cannot be used', () => {
  it('leaves a folder alone that holds files and no cluster', async () => {
    const directory = path.join(await newHome(), 'postgres')
    await fs.mkdir(directory)
    await fs.writeFile(path.join(directory, 'thesis.txt'), 'years of work')
    expect(await refusal(directory)).toMatch(/holds files and no PostgreSQL cluster: move them away/)
    expect(await fs.readFile(path.join(directory, 'thesis.txt'), 'utf8')).toBe('years of work')
  })

  it('names the data folder when it is a file', async () => {
    const home = await newHome()
    await fs.writeFile(path.join(home, 'data'), '')
    expect(await refusal(path.join(home, 'data', 'postgres'))).toBe(`DATA_DIRECTORY: ${home}/data is no folder`)
  })

  it.runIf(asRoot)('names the data folder when this user may not write to it', async () => {
    const home = await newHome()
    const directory = path.join(home, 'postgres')
    const { words } = startElsewhere([directory], 'setpriv', ['--reuid=65534', '--clear-groups', process.execPath])
    expect(await words).toBe(`StartupError: DATA_DIRECTORY: this user cannot read and write in ${home} (EACCES)`)
  })

  it.runIf(asRoot && spawnSync('mount', ['--version']).status === 0)('names the data folder when its disk is full', async ({ skip }) => {
    const home = await newHome()
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', home]).status !== 0) return skip()
    onTestFinished(() => void spawnSync('umount', [home]))
    await fs.chmod(home, 0o711)
    // initdb alone needs more than that.
    expect(await refusal(path.join(home, 'postgres'))).toMatch(/^The disk is full: free some space for .*, or choose another folder/)
    expect((await fs.readdir(home)).filter((name) => name.includes('.init'))).toEqual([])
  })
})

it.runIf(asRoot)('starts as root with the umask 077, whose files PostgreSQL’s user cannot read', async () => {
  const home = await newHome()
  const script = `umask 077; exec "$0" "$@"`
  const args = [path.join(home, 'data', 'postgres'), path.join(home, 'reachable')]
  const { words, kill } = startElsewhere(args, 'sh', ['-c', script, process.execPath])
  expect(await run(await words, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await kill()
})

it('keeps nothing of what users have written in PostgreSQL’s log, which only its owner may read', async () => {
  const directory = path.join(await newHome(), 'postgres')
  const server = await start(directory, { settings: { ...SMALL, log_statement: 'all', log_min_duration_statement: '0' } })
  const url = await server.database('todo')
  await run(url, "CREATE TABLE secrets (word text UNIQUE CHECK (word <> 'forbidden'))")
  for (const word of ['hush', 'hush', 'forbidden']) await run(url, 'INSERT INTO secrets VALUES ($1)', [word]).catch(() => {})
  const log = await fs.readFile(`${directory}.log`, 'utf8')
  expect(log).toMatch(/ERROR: +duplicate key/)
  expect(log).toMatch(/ERROR: +new row .* violates check constraint/)
  expect(log).not.toMatch(/hush|\(forbidden/)
  expect((await fs.stat(`${directory}.log`)).mode & 0o777).toBe(0o600)
})
