// The annotations that Knative reads, with their allowed values. The list is closed, because a cluster silently accepts a misspelt annotation.
// The rules are those of Knative's pkg/apis/autoscaling/annotation_validation.go.

const GROUP = 'autoscaling.knative.dev'
const KPA = 'kpa.autoscaling.knative.dev'
const HPA = 'hpa.autoscaling.knative.dev'
const HOUR = 3600

/** Whether a text is a quantity of Kubernetes, as far as this project uses them. */
export const isQuantity = (value: string) => /^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?$/.test(value)

type Rule = (value: string) => string | undefined

const number =
  (min: number, max = Number.MAX_SAFE_INTEGER): Rule =>
  (value) =>
    /^-?\d+(\.\d+)?$/.test(value) && Number(value) >= min && Number(value) <= max ? undefined : `must be a number from ${min} to ${max}`
const whole =
  (min: number): Rule =>
  (value) =>
    /^\d{1,9}$/.test(value) && Number(value) >= min ? undefined : `must be a whole number of at least ${min}`
const oneOf =
  (...values: string[]): Rule =>
  (value) =>
    values.includes(value) ? undefined : `must be one of ${values.join(', ')}`
const duration =
  (min: number, max: number, precise = true): Rule =>
  (value) => {
    const seconds = secondsOf(value)
    if (seconds === undefined || seconds < min || seconds > max) return `must be a duration from ${min}s to ${max}s`
    return precise && !Number.isInteger(seconds) ? 'must be in whole seconds' : undefined
  }
const quantity: Rule = (value) => (isQuantity(value) ? undefined : 'must be a quantity such as 25m or 50Mi')

const SCALING: Record<string, Rule> = {
  class: oneOf(KPA, HPA),
  metric: oneOf('concurrency', 'rps', 'cpu', 'memory'),
  target: number(0.01),
  'target-utilization-percentage': number(1, 100),
  'target-burst-capacity': (value) => (value === '-1' ? undefined : number(0)(value) && 'must be -1 or a number of at least 0'),
  'min-scale': whole(0),
  // 0 would mean no limit, and the pods would exceed the database's connections.
  'max-scale': whole(1),
  'initial-scale': whole(1),
  'activation-scale': whole(2),
  window: duration(6, HOUR),
  'scale-down-delay': duration(0, HOUR),
  'scale-to-zero-pod-retention-period': duration(0, HOUR, false),
  'panic-window-percentage': number(1, 100),
  'panic-threshold-percentage': number(110, 1000),
  'metric-aggregation-algorithm': oneOf('linear', 'weighted-exponential'),
}

const TEMPLATE: Record<string, Rule> = {
  ...Object.fromEntries(Object.entries(SCALING).map(([key, rule]) => [`${GROUP}/${key}`, rule])),
  ...Object.fromEntries(
    ['cpu', 'memory', 'ephemeral-storage'].flatMap((resource) =>
      ['request', 'limit'].map((bound) => [`queue.sidecar.serving.knative.dev/${resource}-resource-${bound}`, quantity] as const),
    ),
  ),
  'serving.knative.dev/progress-deadline': duration(1, HOUR),
  'features.knative.dev/http-full-duplex': oneOf('Enabled', 'Disabled'),
}
const SERVICE: Record<string, Rule> = {
  'serving.knative.dev/rollout-duration': duration(0, 24 * HOUR),
  'networking.knative.dev/ingress-class': () => undefined,
  'networking.knative.dev/certificate-class': () => undefined,
  'networking.knative.dev/disable-external-domain-tls': oneOf('true', 'false'),
  'networking.knative.dev/http-protocol': oneOf('enabled', 'redirected'),
}

type Problem = { key: string; message: string }

/** The problems of the annotations of a Service or of its template. Annotations of other tools are ignored. */
export function annotationProblems(of: 'service' | 'template', annotations: Record<string, string>): Problem[] {
  const known = of === 'service' ? SERVICE : TEMPLATE
  return Object.entries(annotations).flatMap(([key, value]) => {
    if (!/(^|\.)knative\.dev\//.test(key)) return []
    const rule = known[key]
    if (rule) return [rule(value)].flatMap((message) => (message ? [{ key, message }] : []))
    if (of === 'service' && key in TEMPLATE) return [{ key, message: 'belongs on the template: Knative refuses it on the Service' }]
    if (of === 'template' && key in SERVICE) return [{ key, message: 'belongs on the Service: it has no effect on the template' }]
    return [{ key, message: 'is not an annotation of Knative' }]
  })
}

/** The problems of annotations that are valid one by one and contradict each other. */
export function scaleProblems(annotations: Record<string, string>, containerConcurrency: number): Problem[] {
  const get = (key: string) => annotations[`${GROUP}/${key}`]
  const count = (key: string) => Number(get(key))
  const problem = (key: string, broken: boolean, message: string) => (broken ? [{ key: `${GROUP}/${key}`, message }] : [])
  const autoscaler = get('class') ?? KPA
  const metric = get('metric') ?? (autoscaler === HPA ? 'cpu' : 'concurrency')
  return [
    ...problem('max-scale', get('max-scale') === undefined, 'is required: the database has a limit of connections'),
    ...problem('max-scale', count('max-scale') < count('min-scale'), 'is less than min-scale'),
    ...problem('activation-scale', count('activation-scale') < count('min-scale'), 'is less than min-scale'),
    ...problem('activation-scale', count('activation-scale') > count('max-scale'), 'is more than max-scale'),
    ...problem('initial-scale', count('initial-scale') > count('max-scale'), 'is more than max-scale'),
    ...problem('metric', autoscaler === KPA && !['concurrency', 'rps'].includes(metric), `is not a metric of ${KPA}`),
    ...problem('metric', autoscaler === HPA && !['cpu', 'memory'].includes(metric), `is not a metric of ${HPA}`),
    ...problem(
      'target',
      metric === 'concurrency' && containerConcurrency > 0 && count('target') > containerConcurrency,
      'is more than containerConcurrency, which takes precedence',
    ),
  ]
}

/** Seconds of a Go duration such as 90s or 1m30s; undefined if it is not a duration. */
function secondsOf(duration: string): number | undefined {
  if (duration === '0') return 0
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(duration)) return undefined
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: HOUR }
  return [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, count, unit = 's']) => sum + Number(count) * (units[unit] ?? 1),
    0,
  )
}
