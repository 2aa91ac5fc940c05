// A function's image run as a cluster runs it: nothing to write to, no rights, little memory, not root.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

/** The limit of a function's container, in MiB. */
const MEMORY = 256

const HARDENED = [
  ...['--rm', '--pull=never', '--network=host', '--user=65532:65532', '--read-only', '--cap-drop=ALL'],
  ...['--security-opt=no-new-privileges', `--memory=${MEMORY}m`],
]

export type Container = {
  /** What it has logged so far; grows while it runs. */
  lines: string[]
  /** Its process, as this machine sees it. */
  pid(): Promise<number>
  kill(signal: string): Promise<void>
  /** Its exit code, once it is gone. */
  gone: Promise<number | null>
}

/** `runner` is podman, docker or a program that takes their arguments. */
export function makeRunner(runner: string) {
  const call = async (...args: string[]) => (await promisify(execFile)(runner, args)).stdout.trim()
  const podman = runner.endsWith('podman') ? ['--read-only-tmpfs=false'] : []
  let count = 0
  return {
    call,
    /** Starts a container that gets this environment; `command` is what its node runs instead of the function. */
    start(image: string, environment: Record<string, string>, command: string[] = []): Container {
      const name = `todo-image-check-${process.pid}-${count++}`
      // Named here and read from this process: secrets are nothing for a command line.
      const names = Object.keys(environment).flatMap((variable) => ['--env', variable])
      const child = spawn(runner, ['run', '--name', name, ...HARDENED, ...podman, ...names, image, ...command], {
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const lines: string[] = []
      for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => lines.push(line))
      return {
        lines,
        pid: async () => Number(await call('inspect', '--format', '{{.State.Pid}}', name)),
        kill: async (signal) => void (await call('kill', '--signal', signal, name)),
        gone: once(child, 'close').then(([code]) => code),
      }
    },
  }
}
