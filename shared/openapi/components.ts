// The components of an API description: schemas, problem responses, headers and path parameters. Each is added on its first use, and
// operations refer to it.
import { z } from 'zod'
import type { ErrorKind } from '../core/errors.ts'
import { Problem, problemKinds } from './problems.ts'

export type Json = { [key: string]: unknown }

/** Path parameters mean the same in every function. */
const PATH_PARAMETERS: Record<string, { description: string; example: string }> = {
  user_id: { description: "The caller's own user id, or `me`", example: '019e1c69-02aa-7f7e-8d55-61c0f3b7d9e4' },
  conversation_id: { description: "The conversation's id", example: '019e1c70-11aa-7c52-9a3f-2f1d4b8e6a10' },
  todo_id: { description: "The todo's id", example: '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10' },
}

const HEADERS = {
  'X-Request-Id': {
    description: 'The id under which the log has this request: the one that came with it, or else a new one',
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'Seconds until another try makes sense', schema: { type: 'integer', minimum: 0 } },
  'WWW-Authenticate': { description: 'The scheme to authenticate with (RFC 6750)', schema: { type: 'string' } },
}
export const headerRefs = (...names: (keyof typeof HEADERS)[]): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))

/** An example of each problem. */
const DETAILS: Record<ErrorKind, string> = {
  malformed: 'The body is not valid JSON in UTF-8.',
  unauthenticated: 'The access token has expired.',
  forbidden: 'These are not your todos.',
  not_found: 'There is no such todo.',
  method_not_allowed: 'This address knows GET, HEAD, OPTIONS only.',
  conflict: 'This email address is already registered.',
  too_large: 'A body may have 131072 bytes at the most.',
  unsupported_media_type: 'The body must be sent as application/json.',
  invalid: 'title is required.',
  throttled: 'Too many attempts. Please wait a while.',
  internal: 'Something went wrong on our side. Request id: 5f2d6a8e-6c35-4b0e-9a3f-0d1c52f7be11',
  bad_gateway: "The language model's answer broke off.",
  unavailable: 'The database does not answer at the moment. Please try again.',
}
const ISSUES: Partial<Record<ErrorKind, Json[]>> = {
  conflict: [{ pointer: '#/email', detail: 'This email address is already registered.' }],
  invalid: [{ pointer: '#/title', detail: 'is required' }],
}

export class Components {
  readonly schemas: Json = {}
  readonly responses: Json = {}
  readonly parameters: Json = {}
  readonly headers: Json = HEADERS
  readonly securitySchemes: Json = { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } }

  /** A schema as JSON Schema 2020-12; a component if it has an id. `input` is the form that clients send, `output` is the form after parsing. */
  schema(schema: z.core.$ZodType, io: 'input' | 'output'): Json {
    const { $schema: _, $defs = {}, ...own } = z.toJSONSchema(schema, { io, unrepresentable: 'throw', override: tidy }) as Described
    for (const [id, definition] of Object.entries($defs)) this.schemas[id] ??= pointingHere(definition)
    const { id, ...rest } = pointingHere(own)
    if (typeof id !== 'string') return rest
    this.schemas[id] ??= rest
    return { $ref: `#/components/schemas/${id}` }
  }

  /** The response for this kind of error, named after its title: `NotFound`. */
  problem(kind: ErrorKind): Json {
    const name = problemKinds[kind].title.replaceAll(' ', '')
    this.responses[name] ??= problemResponse(kind, this.schema(Problem, 'output'))
    return { $ref: `#/components/responses/${name}` }
  }

  /** A path parameter; any text without a schema. */
  pathParameter(name: string, schema: z.core.$ZodType | undefined): Json {
    this.parameters[name] ??= {
      name,
      in: 'path',
      required: true,
      ...PATH_PARAMETERS[name],
      schema: schema ? this.schema(schema, 'input') : { type: 'string' },
    }
    return { $ref: `#/components/parameters/${name}` }
  }
}

function problemResponse(kind: ErrorKind, schema: Json): Json {
  const { status, title } = problemKinds[kind]
  const detail = DETAILS[kind]
  const errors = ISSUES[kind]
  const example = { type: 'about:blank', title, status, detail, instance: '/api/v1/…', message: detail, ...(errors ? { errors } : {}) }
  return {
    description: title,
    headers: {
      ...headerRefs('X-Request-Id'),
      ...(kind === 'unauthenticated' ? headerRefs('WWW-Authenticate') : {}),
      ...(kind === 'throttled' || kind === 'unavailable' ? headerRefs('Retry-After') : {}),
    },
    content: { 'application/problem+json': { schema, example } },
  }
}

type Described = Json & { $defs?: Record<string, Json> }

/** Drops keywords that repeat the type or format, and writes examples as JSON Schema does. */
function tidy({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format === 'date' || jsonSchema.format === 'date-time') delete jsonSchema.pattern
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (!('example' in jsonSchema)) return
  jsonSchema.examples = [jsonSchema.example]
  delete jsonSchema.example
}

/** Points Zod's references at the document's components. */
function pointingHere({ id, ...definition }: Json): Json {
  const text = JSON.stringify(definition, (key, part) =>
    key === '$ref' ? String(part).replace('#/$defs/', '#/components/schemas/') : part,
  )
  return { ...(id === undefined ? {} : { id }), ...JSON.parse(text) }
}

/** A media type's schema, with its example. */
export function content(schema: z.ZodType, described: Json, type = 'application/json'): Json {
  const example = schema.meta()?.example
  return { [type]: { schema: described, ...(example === undefined ? {} : { example }) } }
}
