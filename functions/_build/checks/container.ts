// Runs a function's image as a cluster does: read-only, without capabilities, within a memory limit, not as root.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Child, startChild } from '../../../shared/testing/child.ts'

/** The limit of a function's container, in MiB. */
const MEMORY = 256

const HARDENED = [
  ...['--rm', '--pull=never', '--network=host', '--user=65532:65532', '--read-only', '--cap-drop=ALL'],
  ...['--security-opt=no-new-privileges', `--memory=${MEMORY}m`],
]

/** A container's output and end, by the process of its runner. */
export type Container = Pick<Child, 'lines' | 'line' | 'ended'> & {
  /** The container's process, as this machine sees it. */
  pid(): Promise<number>
  /** Sends a signal to the container. */
  signal(name: string): Promise<void>
}

/** `runner` is podman, docker or a program that takes their arguments. */
export function makeRunner(runner: string) {
  const call = async (...args: string[]) => (await promisify(execFile)(runner, args)).stdout.trim()
  const podman = runner.endsWith('podman') ? ['--read-only-tmpfs=false'] : []
  let count = 0
  return {
    call,
    /** Starts a container with this environment; `command` replaces the arguments of its node. */
    start(image: string, environment: Record<string, string>, command: string[] = []): Container {
      const name = `todo-image-check-${process.pid}-${count++}`
      // The runner reads the values from its environment: other users of the machine can read a command line.
      const names = Object.keys(environment).flatMap((variable) => ['--env', variable])
      const run = ['run', '--name', name, ...HARDENED, ...podman, ...names, image, ...command]
      const { lines, line, ended } = startChild(runner, run, { ...process.env, ...environment })
      return {
        lines,
        line,
        ended,
        pid: async () => Number(await call('inspect', '--format', '{{.State.Pid}}', name)),
        signal: async (signal) => void (await call('kill', '--signal', signal, name)),
      }
    },
  }
}
