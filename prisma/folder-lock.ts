// An exclusive lock on a folder for as long as its process lives. Node has no flock: this is SQLite's file lock, which the kernel releases
// however the process ends, and which also holds between containers that share a volume.
import fs from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { StartupError } from './startup-error.ts'

const TIMES = {
  /** A holder that was just killed may need this long to be gone. */
  patienceMs: 1_000,
  /** A holder that has begun to stop gets this long. */
  stoppingMs: 20_000,
  retryMs: 50,
}

export type FolderLock = {
  /** Notes for the next start where the holder can be reached. */
  announce(url: string): void
  /** Notes that the holder is about to release: the next start waits for that. */
  stopping(): void
  /** Idempotent. */
  release(): void
}

type Holder = { pid: number; url?: string; stopping?: boolean }

/** SQLite's result code for a lock that is held elsewhere: https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5

/** A lock ends when its handle is collected: each is kept here until it is released. */
const held = new Set<DatabaseSync>()

/**
 * Locks `folder`, which need not exist; its parent must. Leaves `<folder>.lock` and `<folder>.holder` beside it: a file that is left over
 * locks nothing.
 * @throws StartupError that names the process which holds the lock, and where it listens.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const noteFile = `${folder}.holder`
  for (const begun = Date.now(); ; await sleep(TIMES.retryMs)) {
    const handle = tryLock(`${folder}.lock`)
    if (handle) return lockWith(handle, noteFile)
    const holder = readHolder(noteFile)
    const waited = Date.now() - begun
    if (waited > (holder?.stopping ? TIMES.stoppingMs : TIMES.patienceMs)) throw inUse(folder, holder)
  }
}

function tryLock(file: string): DatabaseSync | undefined {
  const handle = new DatabaseSync(file)
  try {
    // Nothing is ever written: a write lock on an empty database is all that is wanted.
    handle.exec('BEGIN IMMEDIATE')
    held.add(handle)
    return handle
  } catch (error) {
    handle.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined
    throw error
  }
}

function lockWith(handle: DatabaseSync, noteFile: string): FolderLock {
  let holder: Holder = { pid: process.pid }
  const note = (more: Partial<Holder>) => {
    if (!held.has(handle)) return
    holder = { ...holder, ...more }
    try {
      fs.writeFileSync(`${noteFile}.new`, JSON.stringify(holder))
      fs.renameSync(`${noteFile}.new`, noteFile)
    } catch {
      // A full disk must not keep a server from stopping.
    }
  }
  note({})
  return {
    announce: (url) => note({ url }),
    stopping: () => note({ stopping: true }),
    release() {
      if (!held.has(handle)) return
      fs.rmSync(noteFile, { force: true })
      held.delete(handle)
      handle.close()
    },
  }
}

/** Only words for people: the lock decides, so a note that is missing, old or half written does no harm. */
function readHolder(noteFile: string): Holder | undefined {
  try {
    return JSON.parse(fs.readFileSync(noteFile, 'utf8'))
  } catch {
    return undefined
  }
}

function inUse(folder: string, holder: Holder | undefined): StartupError {
  const who = holder ? `process ${holder.pid}${holder.url ? `, ${holder.url}` : ''}` : 'another process'
  return new StartupError(`${folder} is in use (${who}): use that one, stop it, or choose another folder with DATA_DIRECTORY`)
}
