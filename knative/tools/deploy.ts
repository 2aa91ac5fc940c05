// `npm run deploy`: prints the commands that deploy, on standard output and ready for a shell; with --apply it runs them, one by one, until
// one fails. Nothing is deployed that the linter refuses.
import { spawnSync } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import { type Command, planDeployment, quote, USAGE, UsageError } from './commands.ts'
import { describeFinding, lintServices } from './lint.ts'

const ROOT = path.join(import.meta.dirname, '..', '..')
const say = (line: string) => process.stderr.write(`${line}\n`)

process.exitCode = deploy(process.argv.slice(2))

/** Does what the arguments ask for, and returns the exit code: 2 for wrong arguments, 1 for a finding, else that of the command that failed. */
function deploy(args: string[]): number {
  if (args.includes('--help')) {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  try {
    const { functions, commands, apply } = planDeployment(args)
    const findings = lintServices(ROOT).filter(({ file }) => functions.includes(path.basename(file, '.yaml')))
    for (const finding of findings) say(describeFinding(finding))
    if (findings.length > 0) return 1
    for (const command of commands) {
      process.stdout.write(`${quote(command)}\n`)
      const code = apply ? run(command) : 0
      if (code !== 0) return code
    }
    if (!apply) say('Nothing has been run: --apply runs it.')
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    say(`${error.message}\n\n${USAGE}`)
    return 2
  }
}

/** Runs one, and returns its exit code, as a shell would: 127 when there is no such program, 128 and more when a signal ended it. */
function run([program, ...args]: Command): number {
  const { error, status, signal } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' })
  if (error) {
    say(`${program} cannot be run: is it on the PATH?`)
    return 127
  }
  return status ?? 128 + (signal ? os.constants.signals[signal] : 0)
}
