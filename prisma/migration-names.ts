// The migrations that this code was written for. A bundle has no such folder: functions/_build/bundle.ts puts the list in this module's place.
import { readdirSync } from 'node:fs'
import path from 'node:path'

/** Oldest first. */
export const migrationNames: readonly string[] = readdirSync(path.join(import.meta.dirname, 'migrations'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort()
