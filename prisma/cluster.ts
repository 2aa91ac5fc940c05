// The files of an embedded PostgreSQL: a cluster and its superuser's password. The caller holds the folder's lock.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import path from 'node:path'
import { type Owner, readIfThere, syncFolder, writeDurably } from './durable-file.ts'
import { postgresFailure } from './folder-failure.ts'
import { StartupError } from './startup-error.ts'

export type Binaries = { postgres: string; initdb: string }

export type ClusterOptions = {
  /** The cluster's own folder; its password lies beside it. */
  directory: string
  binaries: Binaries
  /** The user that PostgreSQL runs as, where that is another one than this process's. */
  owner: Owner | undefined
  /** The environment of PostgreSQL's programs. */
  environment: NodeJS.ProcessEnv
  /** `false`: the files are not synced. */
  durable: boolean
  log: (line: string) => void
}

export const passwordFileOf = (directory: string) => `${directory}.password`

/**
 * Makes the cluster unless it exists. A half-made one never gets the final name, and a folder with a `PG_VERSION` is never removed.
 * @throws StartupError when the folder holds something else, or when initdb fails.
 */
export async function ensureCluster(options: ClusterOptions): Promise<void> {
  const { directory, owner, log } = options
  await removeLeftovers(directory)
  if (await isCluster(directory)) return
  if ((await entriesOf(directory)).length > 0) {
    throw new StartupError(
      `${directory} holds files and no PostgreSQL cluster: move them away, or choose another folder with DATA_DIRECTORY`,
    )
  }
  log('Initialising a PostgreSQL cluster')
  // A name of its own: the initdb of a start that was killed may still be writing to its own folder.
  const partial = `${directory}.init-${process.pid}-${randomBytes(4).toString('hex')}`
  await fs.mkdir(partial, { mode: 0o700 })
  if (owner) await fs.chown(partial, owner.uid, owner.gid)
  try {
    await writeDurably(passwordFileOf(directory), newPassword(), owner)
    await initdb(partial, options)
    // Only an empty folder can be removed like this.
    await fs.rmdir(directory).catch(ignoreMissing)
    await fs.rename(partial, directory)
    // Or a power cut could undo the name of a cluster that has data by then.
    await syncFolder(path.dirname(directory))
  } catch (error) {
    await fs.rm(partial, { recursive: true, force: true })
    throw error
  }
}

/**
 * The superuser's password. Where its file is lost or empty, a new one is set in PostgreSQL's single-user mode, which asks for none: the
 * server must not run.
 */
export async function clusterPassword(options: ClusterOptions): Promise<string> {
  const { directory, owner, log } = options
  const found = await readIfThere(passwordFileOf(directory))
  if (found) return found
  log(`${passwordFileOf(directory)} is missing or empty: setting a new password`)
  const password = newPassword()
  // The cluster first: if this process ends in between, the next start finds no password and sets another one.
  await setPassword(password, options)
  await writeDurably(passwordFileOf(directory), password, owner)
  return password
}

const newPassword = () => randomBytes(24).toString('base64url')

async function initdb(partial: string, options: ClusterOptions): Promise<void> {
  const { directory, binaries, durable } = options
  const flags = [
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFileOf(directory)}`,
    '--encoding=UTF8',
    '--no-instructions',
    '--no-clean',
  ]
  if (!durable) flags.push('--no-sync')
  // Text behaves the same on every operating system.
  const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
  const { code, complaint } = await runToEnd(binaries.initdb, ['-D', partial, ...flags, ...locale], '', partial, options)
  if (code !== 0) throw await postgresFailure(`PostgreSQL could not make a cluster in ${directory}: ${reasonIn(complaint)}`, directory)
}

async function setPassword(password: string, options: ClusterOptions): Promise<void> {
  const { directory, binaries } = options
  const args = ['--single', '-D', directory, 'postgres']
  const { code, complaint } = await runToEnd(binaries.postgres, args, `ALTER ROLE postgres PASSWORD '${password}'\n`, directory, options)
  // Single-user mode ends with 0 after a statement that failed.
  if (code === 0 && !FAILURE.test(complaint)) return
  throw await postgresFailure(`PostgreSQL could not set a new password in ${directory}: ${reasonIn(complaint)}`, directory)
}

const FAILURE = /^.*?\b(?:error|ERROR|FATAL|PANIC): +/m

/** The first line in which a program of PostgreSQL's says why it failed, without time and process. */
export function reasonIn(log: string): string {
  const lines = log.trim().split('\n')
  const line = lines.find((candidate) => FAILURE.test(candidate)) ?? lines.at(-1) ?? ''
  return line.replace(FAILURE, '')
}

async function runToEnd(program: string, args: string[], input: string, cwd: string, { owner, environment }: ClusterOptions) {
  const child = spawn(program, args, { ...owner, cwd, env: environment, stdio: ['pipe', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  // A program that ends early reads none of it.
  child.stdin.on('error', () => {}).end(input)
  const [code] = await once(child, 'close')
  return { code, complaint: complaint.trim() }
}

async function isCluster(directory: string): Promise<boolean> {
  return (await readIfThere(path.join(directory, 'PG_VERSION'))) !== undefined
}

async function entriesOf(directory: string): Promise<string[]> {
  return (await fs.readdir(directory).catch(ignoreMissing)) ?? []
}

/** What starts that were killed have left half-made. */
async function removeLeftovers(directory: string): Promise<void> {
  const parent = path.dirname(directory)
  for (const name of await fs.readdir(parent)) {
    if (!name.startsWith(`${path.basename(directory)}.init`)) continue
    // One that an initdb still writes to may resist: the next start removes it.
    await fs.rm(path.join(parent, name), { recursive: true, force: true }).catch(() => {})
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
