// Generates services/<name>.yaml (`npm run generate`): one base, and for each function only the settings in which it differs.
// The output is plain YAML, because `kn` and the chart read it as it is. The comments of both parts are written into it.
import { VERSION } from '../../shared/core/version.ts'

/** Pieces of YAML; comment lines are kept. */
type Differences = {
  purpose: string
  /** `cluster-local`: the function has no address outside the cluster. */
  visibility?: 'cluster-local'
  /** Annotations, without their prefix autoscaling.knative.dev/. */
  scaling: string
  /** containerConcurrency and the timeouts. */
  limits: string
  /** The entries of `env` after NODE_OPTIONS. */
  env: string
  /** Entries of `envFrom` after todo-config and todo-database. */
  secrets?: string
  cpu?: { comment: string; limit: string }
}

const SHORT_REQUESTS = `
# Excess requests wait in the queue-proxy, which exports its queue depth as a metric.
containerConcurrency: CONCURRENCY
# Requests are short. A stopping pod has as long to finish: Knative forwards late requests for 30 s, and the function drains for 27 s.
timeoutSeconds: 90`

const poolOf = (size: number) => `
- name: DATABASE_POOL_SIZE
  value: "${size}"`

const TOKENS = `
- secretRef:
    name: todo-auth`

const CPU = {
  comment: `# The request is small so that all functions start on two cores (values.yaml). The limit is one core: a cold start is bound by CPU and
# takes twice as long with half a core.`,
  limit: '1',
}

const FUNCTIONS: Record<string, Differences> = {
  auth: {
    purpose: 'Registration, sign-in, and the check of a token.',
    scaling: `
# Logins are rare, and each costs 25 ms of CPU (argon2id).
min-scale: "0"
max-scale: "3"
# Two hashes run at once and further ones wait, so more than a few concurrent requests need another pod.
target: "8"
# Keeps the activator in the path at any load: TRUSTED_PROXIES counts the proxies in front of this function.
target-burst-capacity: "-1"
window: 60s
# A user who mistyped the password retries within minutes: avoid a second cold start.
scale-to-zero-pod-retention-period: 5m`,
    limits: SHORT_REQUESTS.replace('CONCURRENCY', '16'),
    env: `${poolOf(2)}
# Kourier, the activator and the queue-proxy each append their caller's address to X-Forwarded-For. Kourier does so only with
# use-remote-address. knative/README.md ("Callers' addresses") has the command, and counts the proxies of your cluster.
- name: TRUSTED_PROXIES
  value: hops:3`,
    secrets: TOKENS,
    cpu: {
      comment: `# Two cores at most: two argon2 hashes of 19 MiB run at once, beside the thread that answers.
# The request is small so that all functions start on two cores (values.yaml).`,
      limit: '2',
    },
  },
  chat: {
    purpose: 'Todos in natural language.',
    scaling: `
# A request mostly waits for the language model. Without a model it takes milliseconds.
min-scale: "0"
max-scale: "4"
# Each running answer holds a stream, a few hundred kilobytes and little CPU.
target: "20"
# Answers take up to a minute, so a one-minute average would oscillate.
window: 120s
# Users pause within a conversation.
scale-to-zero-pod-retention-period: 5m`,
    limits: `
# Excess requests wait in the queue-proxy, which exports its queue depth as a metric.
containerConcurrency: 40
# An answer may take 60 s, streamed or not. A stopping pod has as long to finish: Knative forwards late requests for 30 s, and the function
# drains for 66 s.
timeoutSeconds: 120`,
    env: poolOf(2),
    secrets: `${TOKENS}
# The model's API key, which only this function gets. Without it the built-in interpreter answers.
- secretRef:
    name: todo-openai
    optional: true`,
  },
  events: {
    purpose: 'Delivers events that a crashed pod left in the outbox. A PingSource calls it once a minute.',
    visibility: 'cluster-local',
    scaling: `
# One sweep delivers the events of all users.
min-scale: "0"
max-scale: "1"
target: "1"
# Longer than the minute between two ticks: one running pod costs less than 1,440 starts a day. Without ticks it scales to zero.
window: 90s`,
    limits: `
# A second tick waits for the first.
containerConcurrency: 1
# A sweep takes up to 40 s, plus its last delivery. A stopping pod has as long to finish: Knative forwards late ticks for 30 s, and the
# function drains for 55 s.
timeoutSeconds: 120`,
    env: poolOf(3),
  },
  mcp: {
    purpose: 'Todos for AI models (MCP). A WebSocket is one request that lasts for minutes, so the limits differ from the other functions.',
    scaling: `
min-scale: "0"
max-scale: "3"
# Counts open sockets. An idle one costs 83 KB and no CPU; database connections for their calls are the first limit.
target: "200"
# Open sockets do not move to a new pod, so fast scaling gains nothing, and stopping a pod closes its sockets.
window: 120s
scale-down-delay: 5m
scale-to-zero-pod-retention-period: 5m
# The activator is in the path only at scale zero: otherwise every socket would pass through it for its whole life.
target-burst-capacity: "0"`,
    limits: `
# Unlimited: a socket that waits in a queue looks like a hanging server. The function limits its sockets itself and answers 503.
containerConcurrency: 0
# Knative closes a socket after the shorter of these, busy or idle; 600 is the largest value that a cluster allows by default. The function
# closes its sockets earlier. There is no idleTimeoutSeconds, because it would close sockets of clients that only listen.
timeoutSeconds: 600
responseStartTimeoutSeconds: 600`,
    env: `${poolOf(3)}
- name: MCP_MAX_CONNECTIONS
  value: "400"
# 32 MiB for output that clients have not read yet: the heap is half of the memory limit, and 400 idle sockets take 36 MB.
- name: MCP_MAX_HELD_BYTES
  value: "33554432"
# A socket starts to close at 95 % of this at the latest and takes up to 19 s: 560 s in total.
- name: MCP_MAX_CONNECTION_SECONDS
  value: "570"`,
    secrets: TOKENS,
  },
  todos: {
    purpose: 'The todos of a user.',
    scaling: `
# Most traffic goes here. Four pods with a pool of four connections are this function's share of the database (\`connections\` in values.yaml).
min-scale: "0"
max-scale: "4"
# A request waits for PostgreSQL most of its few milliseconds. Knative starts another pod at 70 % of this.
target: "40"
window: 60s
# Users return within minutes: the last pod stays that long.
scale-to-zero-pod-retention-period: 5m`,
    limits: SHORT_REQUESTS.replace('CONCURRENCY', '80'),
    env: poolOf(4),
    secrets: TOKENS,
  },
  users: {
    purpose: "The caller's own account.",
    scaling: `
# One small request when a client starts. Two pods are more than enough and take four connections.
min-scale: "0"
max-scale: "2"
target: "40"
window: 60s
# Called together with the todos, so it stays as long as they do.
scale-to-zero-pod-retention-period: 5m`,
    limits: SHORT_REQUESTS.replace('CONCURRENCY', '80'),
    env: poolOf(2),
    secrets: TOKENS,
  },
}

function service(name: string, { purpose, visibility, scaling, limits, env, secrets = '', cpu = CPU }: Differences): string {
  return `# ${purpose}
# Generated from knative/tools/services.ts by \`npm run generate\`. \`kn service apply\` takes this file as it is; the chart merges values into it.
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: ${name}
  labels:
    app.kubernetes.io/name: ${name}
    app.kubernetes.io/part-of: todo-backend${
      visibility === undefined
        ? ''
        : `
    # No address outside the cluster.
    networking.knative.dev/visibility: ${visibility}`
    }
spec:
  template:
    metadata:
      labels:
        app.kubernetes.io/name: ${name}
        app.kubernetes.io/part-of: todo-backend
      # On the template, because Knative refuses them on the Service itself.
      annotations:${indent(8, scaling.replaceAll(/^(?=[a-z])/gm, 'autoscaling.knative.dev/'))}
    spec:${indent(6, limits)}
      enableServiceLinks: false
      automountServiceAccountToken: false
      containers:
        - image: dev.local/todo-${name}:${VERSION}
          ports:
            - containerPort: 8000
          env:
            # By default Node's heap may grow to 259 MB regardless of the memory limit, and the pod would be killed before a collection.
            - name: NODE_OPTIONS
              value: --max-old-space-size-percentage=50${indent(12, env)}
          envFrom:
            - configMapRef:
                name: todo-config
                optional: true
            - secretRef:
                name: todo-database${indent(12, secrets)}
          resources:
${indent(12, cpu.comment)}
            requests:
              cpu: 40m
              memory: 128Mi
            limits:
              cpu: "${cpu.limit}"
              memory: 256Mi
          # Without periodSeconds, so that the queue-proxy probes every 50 ms while the pod starts.
          readinessProbe:
            httpGet:
              path: /health/ready
          # There is no startupProbe: with one, Serving waits for the kubelet, which probes once a second, instead of probing every 50 ms.
          # A start that hangs is restarted after 30 s and three failures 10 s apart. A start of up to 50 s survives.
          livenessProbe:
            httpGet:
              path: /health/live
            initialDelaySeconds: 30
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          securityContext:
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            allowPrivilegeEscalation: false
            capabilities:
              drop:
                - ALL
            seccompProfile:
              type: RuntimeDefault
`
}

const indent = (spaces: number, text: string) => text.replaceAll(/^(?=.)/gm, ' '.repeat(spaces))

/** Every file of services/, by its path from the root of the repository. */
export function serviceFiles(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, differences]) => [`knative/services/${name}.yaml`, service(name, differences)]),
  )
}
