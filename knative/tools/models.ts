// Kubernetes' own types, from the packages of kubernetes-models, with unknown fields refused. Their validators are compiled and let such
// fields pass: so a manifest is watched while it is validated, and a field that its validator never asked for is one it does not know.
import { z } from 'zod'

/** Whose types a group of the API has; a group that is not here is Kubernetes' own. */
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

/** What these types ask for and nobody writes: in a Knative Service a container's name and a probe's port, and a status anywhere. */
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

/** What the types of Kubernetes have against a manifest: one line each, with the path; empty when all is well. */
export async function modelProblems(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest
  const validate = await validatorOf(apiVersion, kind)
  if (!validate) return [`there is no ${kind} in ${apiVersion}`]
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

/** A copy that notes which fields are asked for. An object of which none is asked for by name may hold what it likes. */
function watch(value: unknown): Watched {
  if (Array.isArray(value)) {
    const items = value.map(watch)
    return { value: items.map((item) => item.value), unknown: (path) => items.flatMap((item, index) => item.unknown(`${path}/${index}`)) }
  }
  if (typeof value !== 'object' || value === null) return { value, unknown: () => [] }
  const fields = Object.entries(value).map(([key, child]) => [key, watch(child)] as const)
  const asked = new Set<string | symbol>()
  const spy = new Proxy(Object.fromEntries(fields.map(([key, child]) => [key, child.value])), {
    get(target, key) {
      asked.add(key)
      return Reflect.get(target, key)
    },
  })
  return {
    value: spy,
    unknown: (path) =>
      fields.flatMap(([key, child]) =>
        asked.size > 0 && !asked.has(key) ? [`${path}/${key} is no field of its type`] : child.unknown(`${path}/${key}`),
      ),
  }
}
