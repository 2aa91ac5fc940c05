// Runs before `npm start`, `npm test` and the like, on any Node that is installed (hence no TypeScript): installs the locked dependencies
// when they are missing or stale, and generates the Prisma client when its schema has changed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

const root = path.join(import.meta.dirname, '..', '..')
const modules = path.join(root, 'node_modules')
const stamp = path.join(modules, '.installed')
const say = (line) => process.stderr.write(`${line}\n`)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  say(`Node ${process.versions.node} is too old: install Node 20.19 or later from https://nodejs.org`)
  process.exit(1)
}

// An image's dependencies are a layer of their own, installed before there is a schema.
const schema = 'prisma/schema.prisma'
const wanted = {
  install: digest('package-lock.json'),
  client: fs.existsSync(path.join(root, schema)) ? digest('package-lock.json', schema) : undefined,
}
const found = readStamp()
const complete = fs.existsSync(path.join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node'))

if (found.install !== wanted.install || !complete) {
  say(found.install ? 'The dependencies have changed: installing …' : 'Installing the dependencies: once, about a minute …')
  // Without a stamp an interrupted installation is begun anew.
  fs.rmSync(stamp, { force: true })
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {})
}
const generated = complete && fs.existsSync(path.join(root, 'prisma', 'generated', 'client.ts'))
if (wanted.client && (found.client !== wanted.client || !generated)) {
  const prisma = path.join(modules, 'prisma', 'build', 'index.js')
  // `generate` never runs the native schema engine, but would download it: any file that is there keeps it from trying.
  run(path.join(modules, '.bin', 'node'), [prisma, 'generate', '--no-hints'], {
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: 'true',
    CHECKPOINT_DISABLE: '1',
  })
}
fs.writeFileSync(stamp, JSON.stringify(wanted))

function digest(...files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(fs.readFileSync(path.join(root, file)))
  return hash.digest('hex')
}

function readStamp() {
  try {
    return JSON.parse(fs.readFileSync(stamp, 'utf8'))
  } catch {
    return {}
  }
}

function run(command, args, env) {
  const cwd = command === 'npm' ? root : path.join(root, 'prisma')
  // npm shows its own progress; all of it goes to standard error, because what is started next owns standard output.
  const stdio = ['ignore', 2, 2]
  const { status, error } = spawnSync(command, args, { cwd, env: { ...process.env, ...env }, stdio, shell: process.platform === 'win32' })
  if (status === 0) return
  say(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`)
  process.exit(1)
}
