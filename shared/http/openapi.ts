// The API description (OpenAPI 3.1), made from the notes that the routes carry and the schemas that check their inputs.
import { METHOD_NAME_ALL } from 'hono/router'
import { findTargetHandler } from 'hono/utils/handler'
import { z } from 'zod'
import type { ErrorKind } from '../errors.ts'
import type { AnyApp } from './app.ts'
import { Problem, problemKinds } from './problem.ts'
import { noteOf, type RouteNote } from './route.ts'

type Json = { [key: string]: unknown }
export type DescribedRoute = { method: string; path: string; note: RouteNote }

/** Where the API's paths are the same in every function. */
const PARAMETERS: Record<string, { description: string; example: string }> = {
  user_id: { description: "The caller's own user id", example: '019e1c69-02aa-7f7e-8d55-61c0f3b7d9e4' },
  todo_id: { description: "The todo's id", example: '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10' },
}

/** The routes of an app with the notes of all their middlewares put together. A route that nothing notes has an empty note. */
export function describedRoutes(app: AnyApp): DescribedRoute[] {
  const routes = new Map<string, DescribedRoute>()
  for (const { method, path, handler } of app.routes) {
    if (method === METHOD_NAME_ALL) continue
    const route = routes.get(`${method} ${path}`) ?? { method, path, note: {} }
    const note = noteOf(findTargetHandler(handler)) ?? {}
    const errors = [...(route.note.errors ?? []), ...(note.operation?.errors ?? []), ...(note.errors ?? [])]
    const inputs = [...(route.note.inputs ?? []), ...(note.inputs ?? [])]
    routes.set(`${method} ${path}`, { ...route, note: { ...route.note, ...note, errors, inputs } })
  }
  return [...routes.values()]
}

/** One document for one app or, locally, for all of them. */
export function openApi(apps: readonly AnyApp[]): Json {
  const schemas: Json = {}
  const paths: Record<string, Json> = {}
  for (const { method, path, note } of apps.flatMap(describedRoutes)) {
    if (!note.operation) continue
    const template = path.replace(/:(\w+)/g, '{$1}')
    paths[template] ??= {}
    paths[template][method.toLowerCase()] ??= operationObject(method, path, note, schemas)
  }
  jsonSchema(Problem, 'output', schemas)
  return {
    openapi: '3.1.1',
    info: {
      title: 'Todo API',
      version: '1.0.0',
      description: 'Todos that nobody else can see. Errors are `application/problem+json` (RFC 9457).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(Object.keys(paths).map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      headers: {
        'X-Request-Id': {
          description: 'The id under which the log has this request; sent back when the request named one',
          schema: { type: 'string' },
        },
      },
    },
  }
}

function operationObject(method: string, path: string, note: RouteNote, schemas: Json): Json {
  const { operation, status = 200, headers = {}, inputs = [], bearer, errors = [] } = note
  if (!operation) throw new Error(`${method} ${path} serves no operation`)
  const body = inputs.find((input) => input.in === 'json')
  const output = jsonSchema(operation.output, 'output', schemas)
  return {
    operationId: method === 'PATCH' && operation.name === 'update_task' ? 'patch_task' : operation.name,
    summary: operation.summary,
    ...(operation.description ? { description: operation.description } : {}),
    tags: [tagOf(path)],
    security: bearer ? [{ bearer: [] }] : [],
    parameters: [...pathParameters(path, inputs, schemas), ...queryParameters(inputs, schemas)],
    ...(body
      ? { requestBody: { required: !body.optional, content: content(body.schema, jsonSchema(body.schema, 'input', schemas)) } }
      : {}),
    responses: {
      [status]: {
        description: 'Done',
        headers: { ...responseHeaders(headers), 'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' } },
        content: content(operation.output, output),
      },
      ...Object.fromEntries(
        [...new Set<ErrorKind>([...errors, 'internal', 'unavailable'])].map((kind) => problemResponse(kind, path)).sort(),
      ),
    },
  }
}

function problemResponse(kind: ErrorKind, path: string): [string, Json] {
  const { status, title } = problemKinds[kind]
  const detail = { description: 'What went wrong, for people' }.description
  return [
    String(status),
    {
      description: title,
      headers: {
        ...(kind === 'unauthenticated' ? responseHeaders({ 'WWW-Authenticate': 'The scheme to authenticate with (RFC 6750)' }) : {}),
        ...(kind === 'throttled' || kind === 'unavailable'
          ? responseHeaders({ 'Retry-After': 'Seconds until another try makes sense' })
          : {}),
      },
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/Problem' },
          example: { type: 'about:blank', title, status, detail, instance: path, message: detail },
        },
      },
    },
  ]
}

function pathParameters(path: string, inputs: NonNullable<RouteNote['inputs']>, schemas: Json): Json[] {
  const known = inputs.filter((input) => input.in === 'path').flatMap((input) => Object.entries(input.schema.shape))
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    const field = known.find(([key]) => key === name)?.[1]
    return {
      name,
      in: 'path',
      required: true,
      schema: field ? jsonSchema(field, 'input', schemas) : { type: 'string' },
      ...PARAMETERS[name],
    }
  })
}

function queryParameters(inputs: NonNullable<RouteNote['inputs']>, schemas: Json): Json[] {
  return inputs
    .filter((input) => input.in === 'query')
    .flatMap(({ schema }) => {
      const { properties = {}, required = [] } = jsonSchema(schema, 'input', schemas) as {
        properties?: Record<string, Json>
        required?: string[]
      }
      return Object.entries(properties).map(([name, { description, ...field }]) => ({
        name,
        in: 'query',
        required: required.includes(name),
        ...(description ? { description } : {}),
        schema: field,
      }))
    })
}

const responseHeaders = (headers: Record<string, string>): Json =>
  Object.fromEntries(Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]))

function content(schema: z.ZodType, described: Json): Json {
  const example = schema.meta()?.example
  return { 'application/json': { schema: described, ...(example === undefined ? {} : { example }) } }
}

/** A schema as JSON Schema 2020-12; whatever has an id becomes a component that others refer to. */
function jsonSchema(schema: z.core.$ZodType, io: 'input' | 'output', schemas: Json): Json {
  const {
    $schema: _,
    $defs = {},
    ...own
  } = z.toJSONSchema(schema, { io, unrepresentable: 'throw' }) as Json & { $defs?: Record<string, Json> }
  for (const [id, definition] of Object.entries($defs)) schemas[id] ??= tidy(definition)
  const { id, ...rest } = own
  if (typeof id !== 'string') return tidy(rest)
  schemas[id] ??= tidy(rest)
  return { $ref: `#/components/schemas/${id}` }
}

/** Zod's local references become the document's, and its keywords that say nothing here go. */
function tidy(value: Json): Json {
  return JSON.parse(
    JSON.stringify(value, (key, part) => {
      if (key === '$ref' && typeof part === 'string') return part.replace('#/$defs/', '#/components/schemas/')
      return part
    }),
  )
}

function tagOf(path: string): string {
  if (!path.startsWith('/api/')) return 'operations'
  const resource = path.split('/').find((part, index) => index > 2 && !/^[:{]/.test(part))
  return resource ?? 'api'
}
