// `npm run build`: one self-contained bundle a function, in dist/<name>/. Started as its image starts it: node dist/<name>/main.js.
import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { migrationNames } from '@todo/prisma/migration-names'
import { type Plugin, rolldown } from 'rolldown'
import { firstCalls } from './first-calls.ts'
import { COPIED_PACKAGES } from './packages.ts'
import { makeWorld } from './world.ts'

/** The bundle's name; `main.js` beside it runs it. */
const BUNDLE = 'bundle.cjs'
const root = path.join(import.meta.dirname, '..', '..')

/** Data a bundle reads from beside itself. */
const FILES: Record<string, string[]> = { migrate: ['prisma/schema.prisma', 'prisma/migrations'] }

/** Functions that call `db.prisma()`. The others are bundled without Prisma's client. */
const MODEL_API = ['auth']
/** Prisma's client and its query compiler: a file beside the bundle, loaded by the first `db.prisma()`. */
const IN_MODEL_API = /prisma\/model-api\.ts$|prisma\/generated\/|node_modules\/@prisma\//

function withoutModelApi(name: string): Plugin {
  const message = JSON.stringify(`${name} is bundled without the model API: add it to MODEL_API in functions/_build/bundle.ts`)
  return {
    name: 'without-model-api',
    load: {
      filter: { id: /prisma\/model-api\.ts$/ },
      handler: () => `export function createClient() { throw new Error(${message}) }`,
    },
  }
}

/** A bundle has no folder of migrations beside it, and needs only their names. */
function migrationNamesAsList(): Plugin {
  return {
    name: 'migration-names-as-list',
    load: {
      filter: { id: /prisma\/migration-names\.ts$/ },
      handler: () => `export const migrationNames = ${JSON.stringify(migrationNames)}`,
    },
  }
}

/** The platform speaks HTTP/2, a function never does: loading it for the adapter's sake would make every start two milliseconds longer. */
function withoutHttp2(): Plugin {
  const none = 'export class Http2ServerRequest {}\nexport const constants = { NGHTTP2_NO_ERROR: 0 }'
  return {
    name: 'without-http2',
    resolveId: { filter: { id: /^node:http2$/ }, handler: (id) => `\0${id}` },
    load: { filter: { id: /^\0node:http2$/ }, handler: () => none },
  }
}

async function bundle(name: string): Promise<void> {
  const dist = path.join(root, 'dist', name)
  await fs.rm(dist, { recursive: true, force: true })
  const alongside = COPIED_PACKAGES[name] ?? []
  const usesModelApi = MODEL_API.includes(name)
  const build = await rolldown({
    cwd: root,
    input: `functions/${name}/main.ts`,
    platform: 'node',
    external: (id) => alongside.some((pkg) => id === pkg || id.startsWith(`${pkg}/`)) || id === 'pg-native',
    plugins: [migrationNamesAsList(), withoutHttp2(), ...(usesModelApi ? [] : [withoutModelApi(name)])],
    // The second file takes from the first one the modules that both use.
    preserveEntrySignatures: 'allow-extension',
    // The one bundle holds what is imported dynamically, all but Prisma's client.
    checks: { ineffectiveDynamicImport: false },
    logLevel: 'warn',
  })
  await build.write({
    dir: dist,
    // A script, because a module's code cache can only be taken before it has run: see entry.mjs.
    format: 'cjs',
    codeSplitting: usesModelApi && {
      includeDependenciesRecursively: false,
      groups: [
        { name: 'prisma', test: IN_MODEL_API },
        { name: 'bundle', test: (id) => !IN_MODEL_API.test(id) },
      ],
    },
    dynamicImportInCjs: false,
    minify: true,
    sourcemap: 'hidden',
    entryFileNames: BUNDLE,
    chunkFileNames: '[name].cjs',
    postBanner: ({ fileName }) => (fileName === BUNDLE ? '(function (exports, require, module, __filename, __dirname) {' : ''),
    postFooter: ({ fileName }) => (fileName === BUNDLE ? '})' : ''),
  })
  await build.close()
  await toAscii(path.join(dist, BUNDLE))
  await fs.copyFile(path.join(import.meta.dirname, 'entry.mjs'), path.join(dist, 'main.js'))
  // Source maps stand apart: an engineer needs them to read a stack trace, an image does not.
  const maps = path.join(root, 'dist', 'maps', name)
  await fs.rm(maps, { recursive: true, force: true })
  await fs.mkdir(maps, { recursive: true })
  for (const file of await fs.readdir(dist)) if (file.endsWith('.map')) await fs.rename(path.join(dist, file), path.join(maps, file))

  for (const pkg of alongside) {
    await fs.cp(path.join(root, 'node_modules', pkg), path.join(dist, 'node_modules', pkg), {
      recursive: true,
      filter: (file) => !/\.(d\.ts|md|map)$/.test(file),
    })
  }
  for (const file of FILES[name] ?? []) await fs.cp(path.join(root, file), path.join(dist, path.basename(file)), { recursive: true })
  await fs.writeFile(path.join(dist, 'package.json'), '{ "type": "module" }\n')
}

/** Written so that it can be read as it is, without decoding. Only texts hold anything else. */
async function toAscii(file: string): Promise<void> {
  const code = await fs.readFile(file, 'utf8')
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  await fs.writeFile(file, code.replace(/[^\0-\x7f]/g, escaped), 'ascii')
}

/** Sends each function its first call and keeps V8's code cache of it (see entry.mjs). */
async function train(names: string[]): Promise<void> {
  const calls = Object.entries(firstCalls).filter(([name]) => names.includes(name))
  if (calls.length === 0) return
  const world = await makeWorld()
  try {
    const user = await world.newUser()
    await world.addTodos(user, 20)
    for (const [name, call] of calls) {
      const script = path.join(import.meta.dirname, 'code-cache.ts')
      await promisify(execFile)(process.execPath, [script, path.join(root, 'dist', name), JSON.stringify(call(user))], {
        env: { PATH: process.env.PATH, ...world.environment },
      })
    }
  } finally {
    await world.stop()
  }
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await fs.readdir(directory, { recursive: true, withFileTypes: true })
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await fs.stat(path.join(entry.parentPath, entry.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

const named = process.argv.slice(2)
const folders = await fs.readdir(path.join(root, 'functions'), { withFileTypes: true })
const existing = await Promise.all(
  folders
    // `npm start` and its image run the sources as they are.
    .filter((entry) => entry.isDirectory() && entry.name !== 'local')
    .map(async ({ name }) => ((await fs.stat(path.join(root, 'functions', name, 'main.ts')).catch(() => undefined)) ? [name] : [])),
)
const unknown = named.find((name) => !existing.flat().includes(name))
if (unknown) throw new Error(`there is no function ${unknown}; there are ${existing.flat().join(', ')}`)
const names = named.length > 0 ? named : existing.flat()
for (const name of names) await bundle(name)
await train(names)
for (const name of names) {
  const bytes = await sizeOf(path.join(root, 'dist', name))
  process.stdout.write(`${name.padEnd(10)} ${(bytes / 1e6).toFixed(2).padStart(6)} MB\n`)
}
