// Small files that must be whole or absent after a crash or a power cut: secrets and passwords.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'

export type Owner = { uid: number; gid: number }

/** Writes a file that its owner alone may read: a temporary one, synced, then renamed over `file`. */
export async function writeDurably(file: string, text: string, owner?: Owner): Promise<void> {
  await withTemporary(file, text, owner, (temporary) => fs.rename(temporary, file))
}

/**
 * The text of `file`, made by `make` when there is none, or an empty one that a crash has left. Of several processes that make it at
 * once, one wins and all return its text.
 */
export async function readOrMake(file: string, make: () => string): Promise<string> {
  for (;;) {
    const found = await readIfThere(file)
    if (found) return found
    await withTemporary(file, make(), undefined, (temporary) =>
      found === undefined ? fs.link(temporary, file).catch(ignoreExisting) : fs.rename(temporary, file),
    )
  }
}

/** The trimmed text; undefined when there is no such file. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return (await fs.readFile(file, 'utf8')).trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function withTemporary(file: string, text: string, owner: Owner | undefined, use: (temporary: string) => Promise<void>) {
  const temporary = `${file}.${randomBytes(6).toString('hex')}`
  try {
    const handle = await fs.open(temporary, 'wx', 0o600)
    try {
      if (owner) await handle.chown(owner.uid, owner.gid)
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await use(temporary)
    await syncFolder(path.dirname(file))
  } finally {
    await fs.rm(temporary, { force: true })
  }
}

/** Makes the names in a folder durable, after a rename. Windows opens no folders. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await fs.open(folder)
  await handle.sync()
  await handle.close()
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
