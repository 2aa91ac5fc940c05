// Why a data folder cannot be used: the file system's errors as lines that say what to do.
import fs from 'node:fs/promises'
import path from 'node:path'
import { StartupError } from './startup-error.ts'

/** A disk with fewer bytes free counts as full: PostgreSQL needs more than that to start. */
const FULL_BYTES = 1_000_000

/** What a failure of the file system around a data folder means to an operator; an error of another kind is returned as it is. */
export async function asFolderFailure(error: unknown, folder: string): Promise<unknown> {
  if (!(error instanceof Error) || error instanceof StartupError) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (!('syscall' in error) && code !== 'ERR_SQLITE_ERROR') return error
  const parent = path.dirname(folder)
  if (code === 'ENOSPC' || code === 'EDQUOT' || (await isFull(folder))) return fullDisk(folder, error)
  if (code === 'ENOTDIR' || code === 'EEXIST') return new StartupError(`DATA_DIRECTORY: ${parent} is no folder`, { cause: error })
  return new StartupError(`DATA_DIRECTORY: this user cannot read and write in ${parent} (${code})`, { cause: error })
}

/** A program of PostgreSQL's that failed, with its own words unless the disk is full. */
export async function postgresFailure(message: string, folder: string): Promise<StartupError> {
  return (await isFull(folder)) ? fullDisk(folder, message) : new StartupError(message)
}

function fullDisk(folder: string, cause: unknown): StartupError {
  return new StartupError(`The disk is full: free some space for ${folder}, or choose another folder with DATA_DIRECTORY`, { cause })
}

async function isFull(folder: string): Promise<boolean> {
  const disk = await fs.statfs(path.dirname(folder)).catch(() => undefined)
  return disk !== undefined && disk.bavail * disk.bsize < FULL_BYTES
}
