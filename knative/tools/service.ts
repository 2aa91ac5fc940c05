// What a file in services/ may say: the fields Knative Serving 1.23 takes with its default features, narrowed to what this house wants of
// every function. Closed, because Knative refuses what it does not take, and `kn` drops without a word what it does not know.
// The bounds are those of Knative's admission (pkg/apis/serving/k8s_validation.go and fieldmask.go).
import path from 'node:path'
import { z } from 'zod'

/** The queue-proxy listens there, in the same pod: its four ports, its two for metrics, its profiler's. */
const RESERVED_PORTS = new Set([8008, 8012, 8013, 8022, 8112, 9090, 9091])
const RESERVED_VARIABLES = new Set(['PORT', 'K_SERVICE', 'K_CONFIGURATION', 'K_REVISION'])
const RESERVED_PATHS = new Set(['/', '/dev', '/dev/log'])

/** Seconds, as Knative's defaults have them. */
export const PLATFORM = { timeout: 600, responseStart: 300, concurrency: 1000 }

const name = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be a DNS label')
const whole = (min: number, max = 2 ** 31 - 1) => z.int().min(min).max(max)
const quantity = z
  .union([z.string(), z.number()])
  .refine((value) => /^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?$/.test(String(value)), 'must be a quantity such as 250m or 128Mi')
const strings = z.record(z.string(), z.string('must be text: quote it'))

const reference = z.strictObject({ name, optional: z.boolean().optional() })
const keyReference = reference.extend({ key: z.string().min(1) })

const variable = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .refine((value) => !RESERVED_VARIABLES.has(value), 'Knative sets this one itself'),
    value: z.string('must be text: quote it').optional(),
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

const port = whole(1, 65_535).refine((value) => !RESERVED_PORTS.has(value), "is a port of Knative's own container")
const httpGet = (path: string) => z.strictObject({ path: z.literal(path), port: port.optional() })

/** Seconds that a start may take before the liveness probe looks: on a busy node, with nothing of the image in memory yet. */
const SLOW_START = 30

const container = z.strictObject({
  image: z.string().refine((value) => imageProblem(value) === undefined, { error: ({ input }) => imageProblem(String(input)) }),
  imagePullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']).optional(),
  args: z.array(z.string()).optional(),
  ports: z.tuple(
    [z.strictObject({ name: z.enum(['http1', 'h2c', '']).optional(), containerPort: port, protocol: z.literal('TCP').optional() })],
    'must be one port: Knative serves no more',
  ),
  env: z.array(variable).optional(),
  envFrom: z.array(exactlyOne(z.strictObject({ configMapRef: reference.optional(), secretRef: reference.optional() }))).optional(),
  resources: z.strictObject({
    requests: z.strictObject({ cpu: quantity, memory: quantity }),
    limits: z.strictObject({ cpu: quantity, memory: quantity }),
  }),
  // With no period the queue-proxy asks every 50 ms, and takes neither a time-out nor a number of failures.
  readinessProbe: z.strictObject({
    httpGet: httpGet('/health/ready'),
    initialDelaySeconds: whole(0).optional(),
    successThreshold: whole(1).optional(),
  }),
  // Never on the database: a restart does not bring it back.
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

/** Why a field that the schema does not know is not there, where that needs saying: by the end of its path. */
export const ABSENT: Record<string, string> = {
  'template.spec.securityContext': "Knative refuses a pod's, the container has one",
  namespace: '`kn` ignores it: the namespace is given with -n',
  name: "`kn` drops a container's when it applies a file again: a new revision for nothing; a revision's can be applied only once",
  traffic: 'applying the file again would undo what `kn service update --traffic` did',
  initContainers: 'Knative refuses them: migrations are a Job',
  affinity: 'Knative refuses it unless a feature flag is on: the chart has a value for that',
  topologySpreadConstraints: 'Knative refuses it unless a feature flag is on: the chart has a value for that',
  tolerations: 'Knative refuses it unless a feature flag is on',
  nodeSelector: 'Knative refuses it unless a feature flag is on',
  hostNetwork: 'Knative refuses it',
  fieldRef: 'Knative refuses it unless a feature flag is on',
  persistentVolumeClaim: 'Knative refuses it, and a function keeps nothing',
  lifecycle: 'Knative refuses it: it drains a pod by itself',
  startupProbe:
    'with any, Serving waits for the kubelet, which looks once a second, instead of asking the pod every 50 ms; initialDelaySeconds of the livenessProbe gives a slow start its time',
  periodSeconds: 'without it the queue-proxy asks every 50 ms, with it once a second at best',
  failureThreshold: 'Knative refuses it in a readiness probe without periodSeconds',
  timeoutSeconds: 'Knative refuses it in a readiness probe without periodSeconds',
}

function exactlyOne<S extends z.ZodObject>(schema: S) {
  return schema.refine((value) => Object.keys(value).length === 1, `needs exactly one of ${Object.keys(schema.shape).join(', ')}`)
}

/** What is wrong with an image's name: it must say which one, today and tomorrow. */
export function imageProblem(image: string): string | undefined {
  const [, , tag, digest] = /^([a-z0-9][\w.:/-]*\/)?[a-z0-9][a-z0-9._-]*(?::([\w][\w.-]{0,127}))?(@sha256:[0-9a-f]{64})?$/.exec(image) ?? []
  if (tag === 'latest' && !digest) return 'must not be `latest`: nobody knows what runs'
  return tag || digest ? undefined : 'must have a tag or a digest'
}
