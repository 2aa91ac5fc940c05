// The linter of services/*.yaml. It finds settings that the cluster would refuse, and settings that it would accept and ignore.
import fs from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { z } from 'zod'
import { variables } from '../../shared/runtime/env.ts'
import { annotationProblems, scaleProblems } from './scaling.ts'
import { ABSENT, KnativeService, PLATFORM } from './service.ts'

export type Finding = { file: string; path: string; rule: string; message: string }
type Problem = Omit<Finding, 'file'>
type Template = KnativeService['spec']['template']
type Container = Template['spec']['containers'][0]

/** Variables that Node, OpenTelemetry or libc read, beside the variables of shared/runtime/env.ts. */
const RUNTIME = /^(NODE_[A-Z_]+|OTEL_[A-Z_]+|UV_THREADPOOL_SIZE|MALLOC_ARENA_MAX)$/
const VISIBILITY = 'networking.knative.dev/visibility'
const SPEC = 'spec.template.spec'

/** The problems of one file of services/, given its path and its text; empty if there are none. */
export function lintService(file: string, text: string): Finding[] {
  const found = (problems: Problem[]) => problems.map((problem) => ({ file, ...problem }))
  // Kubernetes reads YAML 1.1, in which an unquoted `on` is true.
  const documents = [parseAllDocuments(text, { version: '1.1' })].flat()
  const [document] = documents
  if (!document || documents.length !== 1) {
    return found([{ path: '', rule: 'one-document', message: '`kn` reads the first document of a file and ignores the others' }])
  }
  const [broken] = document.errors
  if (broken) return found([{ path: '', rule: 'yaml', message: broken.message }])
  return found(lintManifest(document.toJS(), path.basename(file, '.yaml')))
}

/** The problems of a Knative Service from a file or from the chart; `name` is the expected name. */
export function lintManifest(manifest: unknown, name: string): Problem[] {
  const parsed = KnativeService.safeParse(manifest)
  if (!parsed.success) return deepest(parsed.error.issues.flatMap(issueProblems))
  const { metadata, spec } = parsed.data
  const [container] = spec.template.spec.containers
  return [
    ...(metadata.name === name ? [] : [{ path: 'metadata.name', rule: 'name', message: `must be ${name}` }]),
    ...metadataProblems(parsed.data),
    ...timeoutProblems(name, spec.template.spec, container),
    ...probeProblems(container),
    ...volumeProblems(spec.template.spec, container),
    ...variableProblems(container),
  ]
}

/** The problems of knative/services under this root: of each file, and where files and functions/ do not match. */
export function lintServices(root: string): Finding[] {
  const folder = path.join(root, 'knative', 'services')
  const files = fs.readdirSync(folder)
  const apps = fs.readdirSync(path.join(root, 'functions')).filter((name) => fs.existsSync(path.join(root, 'functions', name, 'app.ts')))
  const missing = apps.map((name) => `${name}.yaml`).filter((file) => !files.includes(file))
  const orphans = files.filter((file) => !apps.includes(path.basename(file, '.yaml')))
  return [
    ...missing.map((file) => ({ file, path: '', rule: 'deployable', message: 'is missing: functions/ has this app' })),
    ...orphans.map((file) => ({ file, path: '', rule: 'deployable', message: 'has no app in functions/' })),
    ...files.flatMap((file) => lintService(file, fs.readFileSync(path.join(folder, file), 'utf8'))),
  ]
}

/** A finding as one line. */
export function describeFinding({ file, path, rule, message }: Finding): string {
  return `${file}${path && `: ${path}`} ${message} (${rule})`
}

function issueProblems(issue: z.core.$ZodIssue): Problem[] {
  const at = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys') return [{ path: at.join('.'), rule: 'shape', message: issue.message }]
  return issue.keys.map((key) => {
    const path = [...at, key].join('.')
    const why = Object.entries(ABSENT).find(([end]) => path.endsWith(`.${end}`))?.[1]
    return { path, rule: 'not-allowed', message: `is not allowed${why ? `: ${why}` : ''}` }
  })
}

/** Drops problems of a field that has a more specific problem below it. */
function deepest(problems: Problem[]): Problem[] {
  return problems.filter(({ path }) => !problems.some((other) => other.path.startsWith(`${path}.`)))
}

function metadataProblems({ metadata, spec: { template } }: KnativeService): Problem[] {
  const own = metadata.annotations ?? {}
  const inner = template.metadata.annotations
  const wrong = annotationProblems('template', inner)
  const at = (prefix: string, rule: string, problems: { key: string; message: string }[]) =>
    problems.map(({ key, message }) => ({ path: `${prefix}.${key}`, rule, message }))
  return [
    ...at('metadata.annotations', 'annotation', annotationProblems('service', own)),
    ...at('spec.template.metadata.annotations', 'annotation', wrong),
    ...at('spec.template.metadata.annotations', 'scale', wrong.length > 0 ? [] : scaleProblems(inner, template.spec.containerConcurrency)),
    ...when(![undefined, 'cluster-local'].includes(metadata.labels?.[VISIBILITY]), {
      path: `metadata.labels.${VISIBILITY}`,
      rule: 'visibility',
      message: 'must be cluster-local',
    }),
    ...when(template.metadata.labels?.[VISIBILITY] !== undefined, {
      path: `spec.template.metadata.labels.${VISIBILITY}`,
      rule: 'visibility',
      message: 'belongs on the Service: it has no effect on the template',
    }),
  ]
}

/** Each of the three timeouts ends a response and a WebSocket alike. */
function timeoutProblems(name: string, spec: Template['spec'], container: Container): Problem[] {
  const { timeoutSeconds: limit, responseStartTimeoutSeconds: start, idleTimeoutSeconds: idle } = spec
  const connection = container.env?.find(({ name }) => name === 'MCP_MAX_CONNECTION_SECONDS')?.value
  const age = Number(connection ?? variables.MCP_MAX_CONNECTION_SECONDS.default)
  const problem = (field: string, message: string) => ({ path: `${SPEC}.${field}`, rule: 'timeouts', message })
  return [
    ...when((start ?? 0) > limit, problem('responseStartTimeoutSeconds', 'is more than timeoutSeconds')),
    ...when((idle ?? 0) > limit, problem('idleTimeoutSeconds', 'is more than timeoutSeconds')),
    ...when(
      start === undefined && limit > PLATFORM.responseStart,
      problem(
        'responseStartTimeoutSeconds',
        `is required: its default of ${PLATFORM.responseStart} s would end a request before timeoutSeconds`,
      ),
    ),
    ...when(name === 'mcp' && idle !== undefined, problem('idleTimeoutSeconds', 'closes an idle WebSocket')),
    ...when(name === 'mcp' && age > limit, problem('timeoutSeconds', `closes a WebSocket before MCP_MAX_CONNECTION_SECONDS (${age})`)),
    ...when(name === 'mcp' && (start ?? 0) < limit, problem('responseStartTimeoutSeconds', 'closes a WebSocket before timeoutSeconds')),
  ]
}

/** Knative fills in the container's port in a probe without a port. */
function probeProblems({ ports: [{ containerPort }], livenessProbe, readinessProbe }: Container): Problem[] {
  return Object.entries({ livenessProbe, readinessProbe }).flatMap(([name, { httpGet }]) =>
    when(httpGet.port !== undefined && httpGet.port !== containerPort, {
      path: `${SPEC}.containers.0.${name}.httpGet.port`,
      rule: 'probes',
      message: `must be ${containerPort}, the container's`,
    }),
  )
}

function volumeProblems({ volumes }: Template['spec'], { volumeMounts }: Container): Problem[] {
  const defined = volumes.map(({ name }) => name)
  const mounted = volumeMounts.map(({ name }) => name)
  const paths = volumeMounts.map(({ mountPath }) => path.posix.resolve('/', mountPath))
  const problem = (at: string, message: string) => ({ path: `${SPEC}.${at}`, rule: 'volumes', message })
  return [
    ...repeated(defined).map((name) => problem('volumes', `has ${name} twice`)),
    ...repeated(paths).map((mountPath) => problem('containers.0.volumeMounts', `has ${mountPath} twice`)),
    ...defined.filter((name) => !mounted.includes(name)).map((name) => problem('volumes', `has ${name}, which nothing mounts`)),
    ...mounted
      .filter((name) => !defined.includes(name))
      .map((name) => problem('containers.0.volumeMounts', `has ${name}, which is not a volume`)),
  ]
}

function variableProblems({ env = [] }: Container): Problem[] {
  const at = `${SPEC}.containers.0.env`
  const problem = (name: string, message: string) => ({ path: `${at}.${name}`, rule: 'variables', message })
  return [
    ...repeated(env.map(({ name }) => name)).map((name) => problem(name, 'is set twice')),
    ...env.flatMap(({ name, value }) => {
      const message = variableProblem(name, value)
      return message === undefined ? [] : [problem(name, message)]
    }),
  ]
}

/** The problem of an environment variable of a function. Without a value (it comes from a Secret or ConfigMap) only its name is checked. */
export function variableProblem(name: string, value?: string): string | undefined {
  if (RUNTIME.test(name)) return undefined
  const known = Object.entries(variables).find(([known]) => known === name)?.[1]
  if (!known) return 'is not a variable of shared/runtime/env.ts'
  // Like readEnv, treat an empty value as unset.
  return value ? known.schema.safeParse(value).error?.issues[0]?.message : undefined
}

const when = (is: boolean, problem: Problem): Problem[] => (is ? [problem] : [])
const repeated = (items: string[]): string[] => [...new Set(items.filter((item, index) => items.indexOf(item) !== index))]
