// Runs within `npm version`: writes the version of package.json into every other file that holds it, and stages those files.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { VERSION } from '../../shared/core/version.ts'

const root = path.join(import.meta.dirname, '..', '..')
const SEMVER = '\\d+\\.\\d+\\.\\d+[\\w.+-]*'

/** Where the version stands, each as a pattern whose first group precedes it. */
const PLACES: Record<string, RegExp[]> = {
  'package.json': [new RegExp(`("@todo/prisma": ")${SEMVER}`)],
  'prisma/package.json': [new RegExp(`("version": ")${SEMVER}`)],
  'knative/Chart.yaml': [new RegExp(`(^version: )${SEMVER}`, 'm'), new RegExp(`(^appVersion: )${SEMVER}`, 'm')],
}

for (const [file, patterns] of Object.entries(PLACES)) {
  const text = fs.readFileSync(path.join(root, file), 'utf8')
  const written = patterns.reduce((result, pattern) => {
    if (!pattern.test(result)) throw new Error(`${file} has no ${pattern}`)
    return result.replace(pattern, (_, before: string) => before + VERSION)
  }, text)
  fs.writeFileSync(path.join(root, file), written)
}
const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: root, stdio: 'inherit' })
run('npm', 'install', '--package-lock-only', '--no-audit', '--no-fund')
run('npm', 'run', 'generate')
run('git', 'add', '--update')
