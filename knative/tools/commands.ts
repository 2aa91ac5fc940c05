// The commands of README's chapter "On a cluster": what `npm run deploy` prints, and runs when it is told to.
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'

export const USAGE = `npm run deploy -- <target> [options]

  <target>            todos, users, … one function by kn; all: every function by kn; chart: everything by Helm
  --namespace <name>  where to; default todo
  --tag <tag>         another tag than the version in package.json
  --registry <name>   another registry than dev.local
  --values <file>     a file of values for the chart; may be said again
  --build             build the images before, with docker
  --load <cluster>    load them into kind or minikube before
  --apply             run the commands; without it they are only printed`

/** Arguments that say nothing that can be done. The message says why. */
export class UsageError extends Error {}

/** What is run and with which arguments; never by a shell. */
export type Command = [program: string, ...args: string[]]
export type Deployment = { functions: string[]; commands: Command[]; apply: boolean }

const ROOT = path.join(import.meta.dirname, '..', '..')
/** The clusters that `kn quickstart` makes have this name. */
const CLUSTER = 'knative'
const LOAD: Record<string, (image: string) => Command> = {
  kind: (image) => ['kind', 'load', 'docker-image', image, '--name', CLUSTER],
  minikube: (image) => ['minikube', 'image', 'load', image, '--profile', CLUSTER],
}

/** The names of the functions that have a file in services/. */
export function deployable(): string[] {
  return fs.readdirSync(path.join(import.meta.dirname, '..', 'services')).map((file) => path.basename(file, '.yaml'))
}

/** What these arguments ask for. @throws UsageError */
export function planDeployment(args: string[]): Deployment {
  const { target, values } = readArguments(args)
  const { namespace = 'todo', tag, registry } = values
  check('namespace', namespace, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
  check('tag', tag, /^\w[\w.-]{0,127}$/)
  check('registry', registry, /^[a-z0-9][\w.-]*(:\d+)?(\/[a-z0-9][\w.-]*)*$/)
  if (values.load !== undefined && !(values.load in LOAD)) throw new UsageError(`--load takes ${Object.keys(LOAD).join(' or ')}`)
  if (values.values && target !== 'chart') throw new UsageError('--values is for the chart')

  const names = deployable()
  if (target !== 'chart' && target !== 'all' && !names.includes(target)) {
    throw new UsageError(`there is no ${target}; there are ${[...names, 'all', 'chart'].join(', ')}`)
  }
  const functions = target === 'chart' || target === 'all' ? names : [target]
  const image = (name: string) => `${registry ?? 'dev.local'}/todo-${name}:${tag ?? version()}`
  // The chart brings the migrations along, as a Job of their own.
  const images = target === 'chart' ? [...functions, 'migrate'] : functions
  const load = values.load === undefined ? undefined : LOAD[values.load]
  return {
    functions,
    commands: [
      ...(values.build
        ? images.map((name): Command => ['docker', 'build', '--build-arg', `FUNCTION=${name}`, '--tag', image(name), '.'])
        : []),
      ...(load ? images.map((name) => load(image(name))) : []),
      ...(target === 'chart'
        ? [upgrade(namespace, values.values ?? [], { tag, registry })]
        : functions.map((name) => applyService(name, namespace, tag || registry ? image(name) : undefined))),
    ],
    apply: values.apply ?? false,
  }
}

/** A command as a line for a shell. */
export function quote(command: Command): string {
  return command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ')
}

function applyService(name: string, namespace: string, image: string | undefined): Command {
  const own: Command = ['kn', 'service', 'apply', name, '--filename', `knative/services/${name}.yaml`, '--namespace', namespace]
  return image === undefined ? own : [...own, '--image', image]
}

function upgrade(namespace: string, files: string[], image: { tag: string | undefined; registry: string | undefined }): Command {
  const settings = Object.entries(image).flatMap(([key, value]) => (value === undefined ? [] : ['--set-string', `image.${key}=${value}`]))
  const values = files.flatMap((file) => ['--values', file])
  return ['helm', 'upgrade', '--install', 'todo', 'knative', '--namespace', namespace, '--create-namespace', ...values, ...settings]
}

function readArguments(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        namespace: { type: 'string' },
        tag: { type: 'string' },
        registry: { type: 'string' },
        values: { type: 'string', multiple: true },
        build: { type: 'boolean' },
        load: { type: 'string' },
        apply: { type: 'boolean' },
      },
    })
    const [target] = positionals
    if (target === undefined || positionals.length > 1) throw new UsageError('say one target')
    return { target, values }
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

function check(option: string, value: string | undefined, form: RegExp): void {
  if (value !== undefined && !form.test(value)) throw new UsageError(`--${option} ${value} is no ${option}`)
}

function version(): string {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')).version
}
