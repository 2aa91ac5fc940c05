// Finds references to ConfigMaps, Secrets and ServiceAccounts that do not exist: a pod with such a reference never starts.
import { z } from 'zod'
import type { Manifest } from './models.ts'

const Named = z.looseObject({ name: z.string(), optional: z.boolean().optional() })
const Secret = z.looseObject({ secretName: z.string(), optional: z.boolean().optional() })
const KINDS: Record<string, string> = {
  secretRef: 'Secret',
  secretKeyRef: 'Secret',
  configMapRef: 'ConfigMap',
  configMapKeyRef: 'ConfigMap',
  configMap: 'ConfigMap',
}

/** The ConfigMaps, Secrets and ServiceAccounts that these manifests refer to and do not contain, as `Kind name`, sorted. */
export function missingReferences(manifests: Manifest[]): string[] {
  const contained = new Set(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
  const needed = new Set(manifests.flatMap((manifest) => references(manifest)))
  return [...needed].filter((reference) => !contained.has(reference)).sort()
}

function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => {
    if (key === 'serviceAccountName' && typeof child === 'string') return [`ServiceAccount ${child}`]
    const named = KINDS[key] && Named.safeParse(child).data
    if (named) return named.optional ? [] : [`${KINDS[key]} ${named.name}`]
    const secret = key === 'secret' && Secret.safeParse(child).data
    if (secret) return secret.optional ? [] : [`Secret ${secret.secretName}`]
    return references(child)
  })
}
