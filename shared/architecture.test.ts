// The repository's layout. Imports are held by .dependency-cruiser.mjs, and readers of `process.env` by Biome's `noProcessEnv`.
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const FOLDERS = ['functions', 'knative', 'prisma', 'shared']
/** Folders that Git ignores. */
const IGNORED = ['dist', 'node_modules']

it('has no top-level folders besides functions, knative, prisma and shared', () => {
  const root = path.join(import.meta.dirname, '..')
  const entries = fs.readdirSync(root, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name)
  expect(folders.filter((name) => !IGNORED.includes(name)).sort()).toEqual(FOLDERS)
})
