// Validates manifests against a cluster's CRDs and refuses unknown fields, which the API server would silently prune.
import fs from 'node:fs'
import path from 'node:path'
import { Ajv } from 'ajv'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import type { Manifest } from './models.ts'

/** The problems of a manifest, one line each with the path; undefined if no CRD defines its kind. */
export type Definitions = (manifest: Manifest) => string[] | undefined

type Schema = { [key: string]: unknown }
const Schema: z.ZodType<Schema> = z.record(z.string(), z.unknown())
const CustomResourceDefinition = z.object({
  kind: z.literal('CustomResourceDefinition'),
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z.array(z.object({ name: z.string(), schema: z.object({ openAPIV3Schema: Schema }) })),
  }),
})

/** Reads every CustomResourceDefinition in a folder of YAML files. @throws Error when it has none */
export function readDefinitions(folder: string): Definitions {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })
  const files = fs.readdirSync(folder).filter((file) => /\.ya?ml$/.test(file))
  const documents = files.flatMap((file) => [parseAllDocuments(fs.readFileSync(path.join(folder, file), 'utf8'))].flat())
  const definitions = documents.flatMap((document) => CustomResourceDefinition.safeParse(document.toJS()).data ?? [])
  if (definitions.length === 0) throw new Error(`there is no CustomResourceDefinition in ${folder}`)
  const validators = new Map<string, ReturnType<Ajv['compile']>>(
    definitions.flatMap(({ spec: { group, names, versions } }) =>
      versions.map(({ name, schema }) => [`${group}/${name} ${names.kind}`, ajv.compile(closed(ofKind(schema.openAPIV3Schema)))]),
    ),
  )
  return (manifest) => {
    const validate = validators.get(`${manifest.apiVersion} ${manifest.kind}`)
    if (!validate) return undefined
    validate(manifest)
    return (validate.errors ?? []).map(({ instancePath, message = '', params }) => {
      const field = 'additionalProperty' in params ? `/${params.additionalProperty}` : ''
      return `${instancePath}${field} ${field ? 'is not a field of its type' : message}`
    })
  }
}

/** Fields of every kind, which a CRD need not list. */
const EVERY_KIND = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } }
const ofKind = (schema: Schema): Schema => ({ ...schema, properties: { ...EVERY_KIND, ...Schema.safeParse(schema.properties).data } })

/** The same schema with unknown properties refused, except where it lists none or preserves unknown fields. */
function closed(schema: Schema): Schema {
  const { properties, items, additionalProperties, ...rest } = schema
  const listed = Schema.safeParse(properties).data
  const open = rest['x-kubernetes-preserve-unknown-fields'] === true
  const inner = (value: unknown) => {
    const child = Schema.safeParse(value).data
    return child ? closed(child) : value
  }
  return {
    ...rest,
    ...(listed && { properties: Object.fromEntries(Object.entries(listed).map(([key, value]) => [key, inner(value)])) }),
    ...(items === undefined ? {} : { items: inner(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: inner(additionalProperties) }),
    ...(listed && additionalProperties === undefined && !open ? { additionalProperties: false } : {}),
  }
}
