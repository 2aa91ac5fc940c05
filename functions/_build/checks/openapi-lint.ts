// `npm run openapi:lint`: the description that `npm start` serves, judged by Redocly's recommended rules. Needs neither database nor network.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs/promises'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { openApiText } from '../openapi.ts'

const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-openapi-'))
const file = path.join(directory, 'openapi.json')
await fs.writeFile(file, await openApiText())

const redocly = createRequire(import.meta.url).resolve('@redocly/cli/bin/cli.js')
// Health checks and the description are public, so they have no 4xx to describe; a socket's handshake succeeds with 101.
const skipped = ['--skip-rule=operation-4xx-response', '--skip-rule=operation-2xx-response']
const lint = ['lint', file, '--extends=recommended', ...skipped, '--format=stylish', '--max-problems=1000']
const { status } = spawnSync(process.execPath, [redocly, ...lint], {
  cwd: directory,
  env: { PATH: process.env.PATH, HOME: directory, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  stdio: 'inherit',
})
await fs.rm(directory, { recursive: true })
process.exit(status ?? 1)
