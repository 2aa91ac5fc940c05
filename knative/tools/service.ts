// The schema of a file in services/: the fields of Knative Serving 1.23 with default features, restricted by the rules of this project.
// Strict, because Knative refuses other fields and `kn` silently drops unknown ones. The bounds are those of Knative's admission
// (pkg/apis/serving/k8s_validation.go and fieldmask.go).
import path from 'node:path'
import { z } from 'zod'
import { isQuantity } from './scaling.ts'

/** Ports of the queue-proxy in the same pod: four for requests, two for metrics, one for its profiler. */
const RESERVED_PORTS = new Set([8008, 8012, 8013, 8022, 8112, 9090, 9091])
const RESERVED_VARIABLES = new Set(['PORT', 'K_SERVICE', 'K_CONFIGURATION', 'K_REVISION'])
const RESERVED_PATHS = new Set(['/', '/dev', '/dev/log'])

/** Knative's default limits; the timeouts are in seconds. */
export const PLATFORM = { timeout: 600, responseStart: 300, concurrency: 1000 }

const name = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label')
const whole = (min: number, max = 2 ** 31 - 1) => z.int().min(min).max(max)
const quantity = z.union([z.string(), z.number()]).refine((value) => isQuantity(String(value)), 'must be a quantity such as 250m or 128Mi')
const strings = z.record(z.string(), z.string('must be a string: quote it'))

const reference = z.strictObject({ name, optional: z.boolean().optional() })
const keyReference = reference.extend({ key: z.string().min(1) })

const variable = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .refine((value) => !RESERVED_VARIABLES.has(value), 'is set by Knative'),
    value: z.string('must be a string: quote it').optional(),
    valueFrom: exactlyOne(z.strictObject({ configMapKeyRef: keyReference.optional(), secretKeyRef: keyReference.optional() })).optional(),
  })
  .refine(({ value, valueFrom }) => (value === undefined) !== (valueFrom === undefined), 'needs either a value or a valueFrom')

const volume = z
  .strictObject({
    name,
    emptyDir: z.strictObject({ sizeLimit: quantity, medium: z.literal('Memory').optional() }).optional(),
    secret: z.strictObject({ secretName: name, optional: z.boolean().optional(), items: z.array(z.unknown()).optional() }).optional(),
    configMap: z.strictObject({ name, optional: z.boolean().optional(), items: z.array(z.unknown()).optional() }).optional(),
    projected: z.strictObject({ sources: z.array(z.unknown()) }).optional(),
  })
  .refine((value) => Object.keys(value).length === 2, 'needs exactly one of emptyDir, secret, configMap, projected')

const port = whole(1, 65_535).refine((value) => !RESERVED_PORTS.has(value), "is a port of Knative's queue-proxy")
const httpGet = (path: string) => z.strictObject({ path: z.literal(path), port: port.optional() })

/** Seconds before the first liveness probe: a start may take that long on a busy node that has not cached the image. */
const SLOW_START = 30

const container = z.strictObject({
  image: z.string().refine((value) => imageProblem(value) === undefined, { error: ({ input }) => imageProblem(String(input)) }),
  imagePullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']).optional(),
  args: z.array(z.string()).optional(),
  ports: z.tuple(
    [z.strictObject({ name: z.enum(['http1', 'h2c', '']).optional(), containerPort: port, protocol: z.literal('TCP').optional() })],
    'must be one port: Knative allows only one',
  ),
  env: z.array(variable).optional(),
  envFrom: z.array(exactlyOne(z.strictObject({ configMapRef: reference.optional(), secretRef: reference.optional() }))).optional(),
  resources: z.strictObject({
    requests: z.strictObject({ cpu: quantity, memory: quantity }),
    limits: z.strictObject({ cpu: quantity, memory: quantity }),
  }),
  // Without a period the queue-proxy probes every 50 ms, and Knative refuses a timeout and a failure threshold.
  readinessProbe: z.strictObject({
    httpGet: httpGet('/health/ready'),
    initialDelaySeconds: whole(0).optional(),
    successThreshold: whole(1).optional(),
  }),
  // Does not depend on the database: a restart would not repair it.
  livenessProbe: z.strictObject({
    httpGet: httpGet('/health/live'),
    initialDelaySeconds: z.int().min(SLOW_START, `must be at least ${SLOW_START}: a slow start would be restarted`),
    periodSeconds: whole(1).optional(),
    timeoutSeconds: whole(1).optional(),
    failureThreshold: whole(1).optional(),
    successThreshold: z.literal(1).optional(),
  }),
  securityContext: z.strictObject({
    readOnlyRootFilesystem: z.literal(true),
    runAsNonRoot: z.literal(true),
    runAsUser: whole(1),
    runAsGroup: whole(1).optional(),
    allowPrivilegeEscalation: z.literal(false),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')], 'must be [ALL]') }),
    seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
  }),
  volumeMounts: z
    .array(
      z.strictObject({
        name,
        mountPath: z
          .string()
          .startsWith('/')
          .refine((value) => !RESERVED_PATHS.has(path.posix.resolve('/', value)), 'is a reserved path'),
        readOnly: z.boolean().optional(),
        subPath: z.string().optional(),
      }),
    )
    .default([]),
  terminationMessagePolicy: z.enum(['File', 'FallbackToLogsOnError']).optional(),
})

export const KnativeService = z.strictObject({
  apiVersion: z.literal('serving.knative.dev/v1'),
  kind: z.literal('Service'),
  metadata: z.strictObject({ name, labels: strings.optional(), annotations: strings.optional() }),
  spec: z.strictObject({
    template: z.strictObject({
      metadata: z.strictObject({ labels: strings.optional(), annotations: strings }),
      spec: z.strictObject({
        containerConcurrency: whole(0, PLATFORM.concurrency),
        timeoutSeconds: whole(1, PLATFORM.timeout),
        responseStartTimeoutSeconds: whole(1).optional(),
        idleTimeoutSeconds: whole(1).optional(),
        serviceAccountName: name.optional(),
        imagePullSecrets: z.array(z.strictObject({ name })).optional(),
        automountServiceAccountToken: z.literal(false),
        enableServiceLinks: z.literal(false),
        containers: z.tuple([container], 'must be one container'),
        volumes: z.array(volume).default([]),
      }),
    }),
  }),
})
export type KnativeService = z.infer<typeof KnativeService>

/** Reasons for fields that the schema leaves out, by the end of their path. */
export const ABSENT: Record<string, string> = {
  'template.spec.securityContext': "Knative refuses it on a pod: set the container's",
  namespace: '`kn` ignores it: pass the namespace with -n',
  name: '`kn` drops the name of a container when it applies a file again, which starts an unnecessary revision; a revision name can be applied only once',
  traffic: 'applying the file again would undo `kn service update --traffic`',
  initContainers: 'Knative refuses them: migrations are a Job',
  affinity: 'Knative refuses it unless a feature flag is on: set spreadOverNodes in the chart',
  topologySpreadConstraints: 'Knative refuses it unless a feature flag is on: set spreadOverNodes in the chart',
  tolerations: 'Knative refuses it unless a feature flag is on',
  nodeSelector: 'Knative refuses it unless a feature flag is on',
  hostNetwork: 'Knative refuses it',
  fieldRef: 'Knative refuses it unless a feature flag is on',
  persistentVolumeClaim: 'Knative refuses it, and functions are stateless',
  lifecycle: 'Knative refuses it: it drains pods itself',
  startupProbe:
    'with one, Serving waits for the kubelet, which probes once a second, instead of probing every 50 ms; initialDelaySeconds of the livenessProbe allows for a slow start',
  periodSeconds: 'without it the queue-proxy probes every 50 ms, with it at most once a second',
  failureThreshold: 'Knative refuses it in a readiness probe without periodSeconds',
  timeoutSeconds: 'Knative refuses it in a readiness probe without periodSeconds',
}

function exactlyOne<S extends z.ZodObject>(schema: S) {
  return schema.refine((value) => Object.keys(value).length === 1, `needs exactly one of ${Object.keys(schema.shape).join(', ')}`)
}

/** The problem of an image reference: it needs a tag other than `latest`, or a digest, so that it stays the same image. */
export function imageProblem(image: string): string | undefined {
  const [, , tag, digest] = /^([a-z0-9][\w.:/-]*\/)?[a-z0-9][a-z0-9._-]*(?::([\w][\w.-]{0,127}))?(@sha256:[0-9a-f]{64})?$/.exec(image) ?? []
  if (tag === 'latest' && !digest) return 'must not be `latest`, which does not identify a version'
  return tag || digest ? undefined : 'must have a tag or a digest'
}
