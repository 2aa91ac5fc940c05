// Proves every rule of the linter with a manifest that breaks only this rule.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { describeFinding, lintManifest, lintService } from './lint.ts'
import { broken, VALID } from './testing.ts'

const lint = (text: string, file = 'sound.yaml') => lintService(file, text).map(({ path, rule }) => `${rule} ${path}`)
const TEMPLATE = 'spec.template.metadata.annotations'
const SPEC = 'spec.template.spec'
const CONTAINER = `${SPEC}.containers.0`

/** A piece of the valid manifest, its replacement, and the one finding that this causes. */
type Case = [piece: string, replacement: string, finding: string]

const under = (line: string, ...more: string[]): [string, string] => [line, [line, ...more].join('\n')]

const DOCUMENT: Case[] = [
  ['kind: Service', 'kind: Servis', 'shape kind'],
  ['serving.knative.dev/v1\n', 'serving.knative.dev/v1beta1\n', 'shape apiVersion'],
  ['  name: sound\n  labels', '  name: other\n  labels', 'name metadata.name'],
  [...under('  name: sound\n  labels:', '    a: 1'), 'shape metadata.labels.a'],
  ['  name: sound\n  labels', '  namespace: here\n  name: sound\n  labels', 'not-allowed metadata.namespace'],
  ['cluster-local', 'private', 'visibility metadata.labels.networking.knative.dev/visibility'],
  [
    '    metadata:\n',
    '    metadata:\n      labels: { networking.knative.dev/visibility: cluster-local }\n',
    'visibility spec.template.metadata.labels.networking.knative.dev/visibility',
  ],
  ['spec:\n  template:', 'spec:\n  traffic: [{ latestRevision: true, percent: 100 }]\n  template:', 'not-allowed spec.traffic'],
  ['    metadata:\n', '    metadata:\n      name: sound-1\n', 'not-allowed spec.template.metadata.name'],
]

const scaling = (key: string, value: string) => [`autoscaling.knative.dev/${key}: ${value}`, `${TEMPLATE}.autoscaling.knative.dev/${key}`]
const set = (key: string, from: string, to: string, rule = 'annotation'): Case => {
  const [text = '', at = ''] = scaling(key, from)
  return [text, `autoscaling.knative.dev/${key}: ${to}`, `${rule} ${at}`]
}
const add = (key: string, value: string, rule = 'annotation'): Case => [
  'example.com/note:',
  `${key}: ${value}\n        example.com/note:`,
  `${rule} ${TEMPLATE}.${key}`,
]

const ANNOTATIONS: Case[] = [
  [
    '  annotations:\n    serving',
    '  annotations:\n    autoscaling.knative.dev/min-scale: "1"\n    serving',
    'annotation metadata.annotations.autoscaling.knative.dev/min-scale',
  ],
  ['rollout-duration: 60s', 'rollout-duration: 60', 'shape metadata.annotations.serving.knative.dev/rollout-duration'],
  ['rollout-duration: 60s', 'rollout-duration: 1.5s', 'annotation metadata.annotations.serving.knative.dev/rollout-duration'],
  ['serving.knative.dev/rollout-duration', 'serving.knative.dev/rolloutt', 'annotation metadata.annotations.serving.knative.dev/rolloutt'],
  add('serving.knative.dev/rollout-duration', '60s'),
  add('autoscaling.knative.dev/maxScale', '"4"'),
  add('autoscaling.knative.dev/scale-down-dely', '1m'),
  add('autoscaling.knative.dev/scale-down-delay', '61m'),
  add('autoscaling.knative.dev/scale-to-zero-pod-retention-period', '5'.padStart(2, '"').padEnd(3, '"')),
  add('autoscaling.knative.dev/initial-scale', '"0"'),
  add('autoscaling.knative.dev/initial-scale', '"5"', 'scale'),
  add('autoscaling.knative.dev/target-utilization-percentage', '"101"'),
  add('autoscaling.knative.dev/panic-window-percentage', '"0.5"'),
  add('autoscaling.knative.dev/panic-threshold-percentage', '"109"'),
  add('autoscaling.knative.dev/metric-aggregation-algorithm', 'exponential'),
  add('queue.sidecar.serving.knative.dev/cpu-resource-request', '25millis'),
  add('queue.sidecar.serving.knative.dev/resource-percentage', '"10"'),
  add('serving.knative.dev/progress-deadline', '1ms'),
  add('features.knative.dev/http-full-duplex', 'enabled'),
  set('class', 'kpa.autoscaling.knative.dev', 'hpa.autoscaling.knative.de'),
  ['class: kpa.autoscaling.knative.dev', 'class: hpa.autoscaling.knative.dev', `scale ${TEMPLATE}.autoscaling.knative.dev/metric`],
  set('metric', 'concurrency', 'concurency'),
  set('metric', 'concurrency', 'cpu', 'scale'),
  set('min-scale', '"1"', '"-1"'),
  set('min-scale', '"1"', '1'.padEnd(1), 'shape'),
  set('max-scale', '"4"', '"0"'),
  ['        autoscaling.knative.dev/max-scale: "4"\n', '', `scale ${TEMPLATE}.autoscaling.knative.dev/max-scale`],
  set('activation-scale', '"2"', '"5"', 'scale'),
  ['min-scale: "1"', 'min-scale: "3"', `scale ${TEMPLATE}.autoscaling.knative.dev/activation-scale`],
  [
    'min-scale: "1"\n        autoscaling.knative.dev/max-scale: "4"\n        autoscaling.knative.dev/activation-scale: "2"\n',
    'min-scale: "5"\n        autoscaling.knative.dev/max-scale: "4"\n',
    `scale ${TEMPLATE}.autoscaling.knative.dev/max-scale`,
  ],
  set('activation-scale', '"2"', '"1"'),
  set('target', '"40"', '"81"', 'scale'),
  set('target', '"40"', '"0"'),
  set('target-burst-capacity', '"-1"', '"-2"'),
  set('window', '1m30s', '5s'),
  set('window', '1m30s', '1m500ms'),
]

const POD: Case[] = [
  [...under('    spec:', '      securityContext: { runAsNonRoot: true }'), `not-allowed ${SPEC}.securityContext`],
  ...[
    'initContainers: []',
    'affinity: {}',
    'topologySpreadConstraints: []',
    'tolerations: []',
    'hostNetwork: true',
    'nodeSelector: {}',
  ].map((line): Case => ['    spec:\n', `    spec:\n      ${line}\n`, `not-allowed ${SPEC}.${line.split(':')[0]}`]),
  ['timeoutSeconds: 600\n      resp', 'timeoutSeconds: 601\n      resp', `shape ${SPEC}.timeoutSeconds`],
  ['timeoutSeconds: 600\n      resp', 'timeoutSeconds: 500\n      resp', `timeouts ${SPEC}.responseStartTimeoutSeconds`],
  ['      responseStartTimeoutSeconds: 600\n', '', `timeouts ${SPEC}.responseStartTimeoutSeconds`],
  [...under('      timeoutSeconds: 600', '      idleTimeoutSeconds: 601'), `timeouts ${SPEC}.idleTimeoutSeconds`],
  ['containerConcurrency: 80', 'containerConcurrency: 1001', `shape ${SPEC}.containerConcurrency`],
  ['enableServiceLinks: false', 'enableServiceLinks: true', `shape ${SPEC}.enableServiceLinks`],
  ['      automountServiceAccountToken: false\n', '', `shape ${SPEC}.automountServiceAccountToken`],
  [
    'emptyDir:\n            sizeLimit: 16Mi',
    'persistentVolumeClaim: { claimName: data }',
    `not-allowed ${SPEC}.volumes.0.persistentVolumeClaim`,
  ],
  ['sizeLimit: 16Mi', 'medium: Memory', `shape ${SPEC}.volumes.0.emptyDir.sizeLimit`],
  ['mountPath: /tmp', 'mountPath: /dev/', `shape ${CONTAINER}.volumeMounts.0.mountPath`],
  [...under('      volumes:', '        - { name: unused, emptyDir: { sizeLimit: 1Mi } }'), `volumes ${SPEC}.volumes`],
  [...under('      volumes:', '        - { name: tmp, emptyDir: { sizeLimit: 1Mi } }'), `volumes ${SPEC}.volumes`],
  [...under('          volumeMounts:', '            - { name: missing, mountPath: /missing }'), `volumes ${CONTAINER}.volumeMounts`],
  [...under('          volumeMounts:', '            - { name: tmp, mountPath: /tmp/ }'), `volumes ${CONTAINER}.volumeMounts`],
]

const CONTAINERS: Case[] = [
  ['      volumes:\n', '        - { name: sidecar, image: sidecar:1 }\n      volumes:\n', `shape ${SPEC}.containers`],
  ['- image:', '- name: sound\n          image:', `not-allowed ${CONTAINER}.name`],
  ['todo-sound:0.1.0', 'todo-sound:latest', `shape ${CONTAINER}.image`],
  ['todo-sound:0.1.0', 'todo-sound', `shape ${CONTAINER}.image`],
  [...under('          ports:', '            - containerPort: 8001'), `shape ${CONTAINER}.ports`],
  ['containerPort: 8000', 'containerPort: 9090', `shape ${CONTAINER}.ports.0.containerPort`],
  ['name: DATABASE_POOL_SIZE', 'name: PORT', `shape ${CONTAINER}.env.0.name`],
  ['name: DATABASE_POOL_SIZE', 'name: K_REVISION', `shape ${CONTAINER}.env.0.name`],
  ['name: DATABASE_POOL_SIZE', 'name: DATABASE_POOLSIZE', `variables ${CONTAINER}.env.DATABASE_POOLSIZE`],
  ['value: "4"', 'value: "0"', `variables ${CONTAINER}.env.DATABASE_POOL_SIZE`],
  ['value: "4"', 'value: 4', `shape ${CONTAINER}.env.0.value`],
  ['value: --max-old-space-size=192', 'value: on', `shape ${CONTAINER}.env.1.value`],
  [...under('          env:', '            - { name: NODE_OPTIONS, value: "" }'), `variables ${CONTAINER}.env.NODE_OPTIONS`],
  ['value: "4"', 'valueFrom: { fieldRef: { fieldPath: metadata.name } }', `not-allowed ${CONTAINER}.env.0.valueFrom.fieldRef`],
  ['secretRef:\n                name: todo-database', 'secretRef: {}', `shape ${CONTAINER}.envFrom.0.secretRef.name`],
  ['            limits:\n              cpu: 1\n              memory: 256Mi\n', '', `shape ${CONTAINER}.resources.limits`],
  ['memory: 128Mi', 'memory: 128MB', `shape ${CONTAINER}.resources.requests.memory`],
  ['          readinessProbe:\n', '          lifecycle: {}\n          readinessProbe:\n', `not-allowed ${CONTAINER}.lifecycle`],
  ...['periodSeconds', 'failureThreshold', 'timeoutSeconds'].map(
    (field): Case => [
      'readinessProbe:\n',
      `readinessProbe:\n            ${field}: 1\n`,
      `not-allowed ${CONTAINER}.readinessProbe.${field}`,
    ],
  ),
  ['path: /health/live\n            initial', 'path: /health/ready\n            initial', `shape ${CONTAINER}.livenessProbe.httpGet.path`],
  ['          livenessProbe:\n', '          startupProbe: {}\n          livenessProbe:\n', `not-allowed ${CONTAINER}.startupProbe`],
  ['initialDelaySeconds: 30', 'initialDelaySeconds: 29', `shape ${CONTAINER}.livenessProbe.initialDelaySeconds`],
  ['            initialDelaySeconds: 30\n', '', `shape ${CONTAINER}.livenessProbe.initialDelaySeconds`],
  ['path: /health/ready', 'path: /health/ready\n              port: 8001', `probes ${CONTAINER}.readinessProbe.httpGet.port`],
  ['path: /health/live\n', 'path: /health/live\n              port: 80\n', `probes ${CONTAINER}.livenessProbe.httpGet.port`],
  ['readOnlyRootFilesystem: true', 'readOnlyRootFilesystem: false', `shape ${CONTAINER}.securityContext.readOnlyRootFilesystem`],
  ['            runAsNonRoot: true\n', '', `shape ${CONTAINER}.securityContext.runAsNonRoot`],
  ['runAsUser: 65532', 'runAsUser: 0', `shape ${CONTAINER}.securityContext.runAsUser`],
  ['allowPrivilegeEscalation: false', 'allowPrivilegeEscalation: true', `shape ${CONTAINER}.securityContext.allowPrivilegeEscalation`],
  ['drop: [ALL]', 'drop: [all]', `shape ${CONTAINER}.securityContext.capabilities.drop.0`],
  ['drop: [ALL]', 'add: [NET_ADMIN]\n              drop: [ALL]', `not-allowed ${CONTAINER}.securityContext.capabilities.add`],
  ['type: RuntimeDefault', 'type: Unconfined', `shape ${CONTAINER}.securityContext.seccompProfile.type`],
]

describe('the linter', () => {
  it('finds no problem in a valid manifest', () => {
    expect(lint(VALID)).toEqual([])
  })

  it.each([...DOCUMENT, ...ANNOTATIONS, ...POD, ...CONTAINERS])(
    'finds the problem of a manifest in which %j is replaced by %j: %s',
    (piece, replacement, finding) => {
      expect(lint(broken(piece, replacement))).toEqual([finding])
    },
  )

  it('refuses an unknown field at every depth', () => {
    const everyFinding = (value: unknown, at: string[] = []): string[] => {
      if (typeof value !== 'object' || value === null || /annotations|labels/.test(at.at(-1) ?? '')) return []
      const inner = Object.entries(value).flatMap(([key, child]) => everyFinding(child, [...at, key]))
      if (Array.isArray(value)) return inner
      Object.assign(value, { bogus: 1 })
      const found = lintManifest(manifest, 'sound').map(({ path, rule }) => `${rule} ${path}`)
      Reflect.deleteProperty(value, 'bogus')
      expect(found).toEqual([`not-allowed ${[...at, 'bogus'].join('.')}`])
      return [...inner, ...found]
    }
    const manifest = parse(VALID)
    expect(everyFinding(manifest).length).toBeGreaterThan(20)
  })

  it('refuses a file with several documents, invalid YAML or a duplicate key', () => {
    expect(lint(`${VALID}---\n${VALID}`)).toEqual(['one-document '])
    expect(lint('')).toEqual(['one-document '])
    expect(lint(`${VALID}kind: Service\n`)).toEqual(['yaml '])
    expect(lint('a: [')).toEqual(['yaml '])
  })

  it('refuses timeouts of mcp that close a socket before MCP_MAX_CONNECTION_SECONDS', () => {
    const mcp = VALID.replaceAll('sound', 'mcp')
    const seconds = (value: number) =>
      mcp.replace('env:\n', `env:\n            - { name: MCP_MAX_CONNECTION_SECONDS, value: "${value}" }\n`)
    expect(lint(mcp, 'mcp.yaml')).toEqual([])
    expect(lint(seconds(600), 'mcp.yaml')).toEqual([])
    expect(lint(seconds(601), 'mcp.yaml')).toEqual([`timeouts ${SPEC}.timeoutSeconds`])
    expect(lint(mcp.replaceAll('imeoutSeconds: 600', 'imeoutSeconds: 300'), 'mcp.yaml')).toEqual([`timeouts ${SPEC}.timeoutSeconds`])
    expect(lint(mcp.replace('      timeoutSeconds', '      idleTimeoutSeconds: 60\n      timeoutSeconds'), 'mcp.yaml')).toEqual([
      `timeouts ${SPEC}.idleTimeoutSeconds`,
    ])
    expect(lint(mcp.replace('StartTimeoutSeconds: 600', 'StartTimeoutSeconds: 300'), 'mcp.yaml')).toEqual([
      `timeouts ${SPEC}.responseStartTimeoutSeconds`,
    ])
  })

  it('accepts a function without volumes', () => {
    const [containers] = VALID.split('          volumeMounts:')
    expect(lint(containers ?? '')).toEqual([])
  })

  it('explains why a startup probe is not allowed', () => {
    const [finding] = lintService(
      'sound.yaml',
      broken('          livenessProbe:\n', '          startupProbe: {}\n          livenessProbe:\n'),
    )
    expect(finding?.message).toContain('Serving waits for the kubelet, which probes once a second')
  })

  it('describes a finding in one line', () => {
    const [finding] = lintService('services/sound.yaml', broken('    spec:\n', '    spec:\n      initContainers: []\n'))
    expect(finding && describeFinding(finding)).toBe(
      'services/sound.yaml: spec.template.spec.initContainers is not allowed: Knative refuses them: migrations are a Job (not-allowed)',
    )
  })
})

describe('services/', () => {
  it('has no problem in any file', () => {
    const folder = path.join(import.meta.dirname, '..', 'services')
    const files = fs.existsSync(folder) ? fs.readdirSync(folder) : []
    const findings = files.flatMap((file) => lintService(file, fs.readFileSync(path.join(folder, file), 'utf8')))
    expect(findings.map(describeFinding)).toEqual([])
  })
})
