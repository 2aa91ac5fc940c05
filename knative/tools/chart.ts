// Renders the chart with Helm, in every variant that values.yaml documents.

import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import { Manifest } from './models.ts'

const CHART = path.join(import.meta.dirname, '..')

/** Variants of an installation: the arguments for Helm. */
export const VARIANTS: Record<string, string[]> = {
  'its own values': [],
  'values for a laptop': [`--values=${CHART}/values-local.yaml`],
  'values for production': [`--values=${CHART}/values-production.yaml`],
  'an external database': [
    '--set=database.mode=external',
    '--set=database.external.url=postgresql://todo@pooler.example.com/todo?sslmode=verify-full',
    '--set=database.external.directUrl=postgresql://todo@db.example.com/todo?sslmode=verify-full',
  ],
  'existing Secrets': [
    '--set=database.mode=external',
    '--set=database.external.caSecret=their-ca',
    '--set=auth.create=false',
    '--set=openai.enabled=true',
  ],
  'a digest, a registry, larger limits': [
    '--set=image.registry=registry.example.com/todo',
    `--set=functions.todos.digest=sha256:${'0'.repeat(64)}`,
    '--set=functions.todos.scale.max=5',
    '--set=database.connections=200',
    '--set=functions.todos.scale.min=1',
    '--set=functions.todos.resources.limits.memory=512Mi',
    '--set=functions.chat.extraEnv.CHAT_TOKENS_PER_DAY=1000',
    '--set=image.pullSecrets={registry}',
  ],
  'every optional part': [
    '--set=domain.name=todo.example.com',
    '--set=domain.claim=true',
    '--set=domain.tlsSecret=todo-tls',
    '--set=ingress.type=istio',
    '--set=ingress.host=api.example.com',
    '--set=ingress.istioGateway=istio-system/public',
    '--set=eventing.enabled=true',
    '--set=eventing.triggers.completed.type=todo.completed',
    '--set=eventing.triggers.completed.subscriber=event-display',
    '--set=eventing.triggers.completed.deadLetter=http://undelivered.example.com',
    '--set=monitoring.enabled=true',
    '--set=loadTest.enabled=true',
    '--set=quota.enabled=true',
  ],
  'no optional part': ['--set=networkPolicies.enabled=false', '--set=serviceAccounts.create=false'],
  'the HPA': ['--set=functions.todos.scale.class=hpa', '--set=functions.todos.scale.metric=cpu', '--set=functions.todos.scale.target=80'],
}

/** Whether this Helm can be run. */
export function helmRuns(helm: string): boolean {
  return spawnSync(helm, ['version', '--short']).status === 0
}

/** The manifests that the chart renders with these arguments. @throws Error with Helm's message when it refuses them */
export function render(helm: string, args: string[]): Manifest[] {
  const { status, stdout, stderr } = spawnSync(helm, ['template', 'todo', CHART, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr || `${helm} cannot be run`)
  return [parseAllDocuments(stdout, { version: '1.1' })]
    .flat()
    .flatMap((document) => (document.contents ? [Manifest.parse(document.toJS())] : []))
}

/** The problems that `helm lint --strict` finds with these arguments; empty if there are none. */
export function lintChart(helm: string, args: string[]): string[] {
  const { status, stdout, stderr } = spawnSync(helm, ['lint', '--strict', CHART, ...args], { encoding: 'utf8' })
  return status === 0 ? [] : [`${stdout}${stderr}`]
}
