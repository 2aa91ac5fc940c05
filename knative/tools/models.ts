// Validates manifests against Kubernetes' types (kubernetes-models) and refuses unknown fields, which a cluster may silently prune.
// The packages ship compiled validators without schemas, so a Proxy records which fields a validator reads: an unread field is unknown.
// kubeconform would need a Go binary and downloaded schemas. manifests.test.ts (“knows the fields of …”) notices changed validators.
import { z } from 'zod'

/** The package of an API group; any other group is in kubernetes-models itself. */
const PACKAGES: Record<string, string> = {
  'serving.knative.dev': '@kubernetes-models/knative',
  'eventing.knative.dev': '@kubernetes-models/knative',
  'messaging.knative.dev': '@kubernetes-models/knative',
  'sources.knative.dev': '@kubernetes-models/knative',
  'networking.internal.knative.dev': '@kubernetes-models/knative',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'networking.istio.io': '@kubernetes-models/istio',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
}

/** Required by these types, but filled in by the cluster: a container's name and a probe's port in a Knative Service, and any status. */
const FILLED_IN = {
  byKnative: /\/containers\/\d+ must have required property name$|\/httpGet must have required property port$/,
  byCluster: /^ must have required property status$/,
}

export const Manifest = z.looseObject({
  apiVersion: z.string().regex(/^([a-z0-9.]+\/)?v[a-z0-9]+$/),
  kind: z.string().regex(/^[A-Z][A-Za-z]+$/),
  metadata: z.looseObject({ name: z.string() }),
})
export type Manifest = z.infer<typeof Manifest>

/** The problems of a manifest, one line each with the path; empty if there are none. */
export async function modelProblems(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest
  const validate = await validatorOf(apiVersion, kind)
  if (!validate) return [`${apiVersion} has no kind ${kind}`]
  const watched = watch(manifest)
  const wrong = errorsOf(() => Reflect.apply(validate, watched.value, []))
  const serving = apiVersion.startsWith('serving.knative.dev/')
  const own = wrong.filter((line) => !FILLED_IN.byCluster.test(line) && !(serving && FILLED_IN.byKnative.test(line)))
  return [...own, ...watched.unknown('')]
}

async function validatorOf(apiVersion: string, kind: string): Promise<((...args: never[]) => unknown) | undefined> {
  const [group = ''] = apiVersion.split('/')
  try {
    const module: Record<string, unknown> = await import(`${PACKAGES[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`)
    const model = module[kind]
    return typeof model === 'function' ? model.prototype.validate : undefined
  } catch {
    return undefined
  }
}

const ValidationError = z.object({ errors: z.array(z.object({ instancePath: z.string(), message: z.string() })) })

function errorsOf(validate: () => void): string[] {
  try {
    validate()
    return []
  } catch (error) {
    return ValidationError.parse(error).errors.map(({ instancePath, message }) => `${instancePath} ${message.replaceAll("'", '')}`)
  }
}

type Watched = { value: unknown; unknown(path: string): string[] }

/** A copy that records which fields are read. An object without any read field is a map, in which every key is allowed. */
function watch(value: unknown): Watched {
  if (Array.isArray(value)) {
    const items = value.map(watch)
    return { value: items.map((item) => item.value), unknown: (path) => items.flatMap((item, index) => item.unknown(`${path}/${index}`)) }
  }
  if (typeof value !== 'object' || value === null) return { value, unknown: () => [] }
  const fields = Object.entries(value).map(([key, child]) => [key, watch(child)] as const)
  const read = new Set<string | symbol>()
  const spy = new Proxy(Object.fromEntries(fields.map(([key, child]) => [key, child.value])), {
    get(target, key) {
      read.add(key)
      return Reflect.get(target, key)
    },
  })
  return {
    value: spy,
    unknown: (path) =>
      fields.flatMap(([key, child]) =>
        read.size > 0 && !read.has(key) ? [`${path}/${key} is not a field of its type`] : child.unknown(`${path}/${key}`),
      ),
  }
}
