// `npm run build`: one self-contained bundle a function, in dist/<name>/. Started as its image starts it: node dist/<name>/main.js.
import fs from 'node:fs/promises'
import path from 'node:path'
import { type Plugin, rolldown } from 'rolldown'

const root = path.join(import.meta.dirname, '..')

/** What cannot be bundled, and goes along as a package: a native addon, and an engine that reads its own WebAssembly file. */
const ALONGSIDE: Record<string, string[]> = {
  auth: ['@node-rs/argon2', `@node-rs/argon2-linux-${process.arch}-gnu`],
  migrate: ['@prisma/schema-engine-wasm'],
}
/** Data a bundle reads from beside itself. */
const FILES: Record<string, string[]> = { migrate: ['prisma/schema.prisma', 'prisma/migrations'] }

/**
 * Prisma carries its query compiler as base64 inside JavaScript, which costs a third more bytes and a decoding at every start.
 * Here it becomes a file of its own, compiled off the main thread.
 */
function compilerAsFile(): Plugin {
  const inline = /const \{ wasm \} = await import\("([^"]+\.wasm-base64\.mjs)"\)\s+return await decodeBase64AsWasm\(wasm\)/
  return {
    name: 'compiler-as-file',
    transform: {
      filter: { id: /prisma\/generated\/internal\/class\.ts$/ },
      async handler(code) {
        const [, base64Module] = inline.exec(code) ?? []
        if (!base64Module) throw new Error('Prisma generates its client differently: look at prisma/generated/internal/class.ts')
        const { wasm } = await import(base64Module)
        this.emitFile({ type: 'asset', fileName: 'query_compiler.wasm', source: Buffer.from(wasm, 'base64') })
        const load =
          "const { readFile } = await import('node:fs/promises')\n    return WebAssembly.compile(await readFile(new URL('./query_compiler.wasm', import.meta.url)))"
        return { code: code.replace(inline, load), map: null }
      },
    },
  }
}

async function bundle(name: string): Promise<{ name: string; bytes: number }> {
  const dist = path.join(root, 'dist', name)
  await fs.rm(dist, { recursive: true, force: true })
  const alongside = ALONGSIDE[name] ?? []
  const build = await rolldown({
    cwd: root,
    input: `functions/${name}/main.ts`,
    platform: 'node',
    external: (id) => alongside.some((pkg) => id === pkg || id.startsWith(`${pkg}/`)) || id === 'pg-native',
    plugins: [compilerAsFile()],
    logLevel: 'warn',
  })
  // Source maps stand apart: they are for whoever reads a stack trace, not for the image.
  await build.write({
    dir: dist,
    format: 'esm',
    minify: true,
    sourcemap: 'hidden',
    entryFileNames: 'main.js',
    chunkFileNames: '[name]-[hash].js',
  })
  await build.close()
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
  return { name, bytes: await sizeOf(dist) }
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await fs.readdir(directory, { recursive: true, withFileTypes: true })
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await fs.stat(path.join(entry.parentPath, entry.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

const named = process.argv.slice(2)
const folders = await fs.readdir(import.meta.dirname, { withFileTypes: true })
const existing = await Promise.all(
  folders
    .filter((entry) => entry.isDirectory())
    .map(async ({ name }) => ((await fs.stat(path.join(import.meta.dirname, name, 'main.ts')).catch(() => undefined)) ? [name] : [])),
)
const unknown = named.find((name) => !existing.flat().includes(name))
if (unknown) throw new Error(`there is no function ${unknown}; there are ${existing.flat().join(', ')}`)
for (const name of named.length > 0 ? named : existing.flat()) {
  const { bytes } = await bundle(name)
  process.stdout.write(`${name.padEnd(10)} ${(bytes / 1e6).toFixed(2).padStart(6)} MB\n`)
}
