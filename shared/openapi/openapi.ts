// The API description (OpenAPI 3.1), made from the routes' notes and the schemas that validate their inputs.
import { STATUS_CODES } from 'node:http'
import type { Hono } from 'hono'
import { METHOD_NAME_ALL } from 'hono/router'
import { findTargetHandler } from 'hono/utils/handler'
import type { ErrorKind } from '../core/errors.ts'
import { VERSION } from '../core/version.ts'
import { Components, content, headerRefs, type Json } from './components.ts'
import { problemKinds } from './problems.ts'
import { type EventSpec, noteOf, type RouteNote } from './route.ts'
import { webhooks } from './webhooks.ts'

/** An app as its description needs it. */
type RoutedApp = Pick<Hono, 'routes'>
type DescribedRoute = { method: string; path: string; note: RouteNote }
type Input = NonNullable<RouteNote['inputs']>[number]

/** An app's routes with the merged notes of their middlewares. A route without notes has an empty one. */
export function describedRoutes(app: RoutedApp): DescribedRoute[] {
  const routes = new Map<string, DescribedRoute>()
  let common: RouteNote = {}
  for (const { method, path, handler } of app.routes) {
    const note = noteOf(findTargetHandler(handler)) ?? {}
    if (method === METHOD_NAME_ALL) {
      common = { ...common, ...note }
      continue
    }
    const route = routes.get(`${method} ${path}`) ?? { method, path, note: common }
    const errors = [...(route.note.errors ?? []), ...(note.operation?.errors ?? []), ...(note.errors ?? [])]
    const inputs = [...(route.note.inputs ?? []), ...(note.inputs ?? [])]
    routes.set(`${method} ${path}`, { ...route, note: { ...route.note, ...note, errors, inputs } })
  }
  return [...routes.values()]
}

/** One document for one app or, locally, for all of them. */
export function openApi(apps: readonly RoutedApp[]): Json {
  const components = new Components()
  const paths: Record<string, Json> = {}
  const tags = new Map<string, string>()
  const names = new Map<string, string>()
  const events: Record<string, EventSpec> = {}
  for (const { method, path, note } of apps.flatMap(describedRoutes)) {
    const template = path.replace(/:(\w+)/g, '{$1}')
    const verb = method.toLowerCase()
    Object.assign(events, note.events)
    // Routes that every function serves are described once.
    if (!note.operation || paths[template]?.[verb]) continue
    const operationId = idOf(verb, note.operation.name, template, names)
    const { tag, about } = isOwn(path) ? { tag: note.function ?? 'api', about: note.about ?? '' } : SERVICE
    tags.set(tag, about)
    const operation = { operationId, tags: [tag], ...operationObject(path, note, components) }
    paths[template] = { ...paths[template], [verb]: operation }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Todo API',
      version: VERSION,
      description: 'Todos that nobody else can see. Errors are `application/problem+json` (RFC 9457).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [...tags].map(([name, description]) => ({ name, description })),
    paths,
    ...(Object.keys(events).length > 0 ? { webhooks: webhooks(events, components) } : {}),
    components: { ...components },
  }
}

/** Whether the path belongs to one function, rather than to all. */
const isOwn = (path: string) => path === '/' || path.startsWith('/api/')
const SERVICE = { tag: 'service', about: 'What every function also serves.' }

/** The operation's name; for a second method of the same path with the method added. */
function idOf(verb: string, name: string, template: string, names: Map<string, string>): string {
  const known = names.get(name)
  names.set(name, template)
  if (known === undefined) return name
  if (known === template) return `${name}_by_${verb}`
  throw new Error(`${verb.toUpperCase()} ${template}: another route is called ${name}`)
}

function operationObject(path: string, note: RouteNote, components: Components): Json {
  const { operation, status = 200, headers = {}, inputs = [], bearer, errors = [], answers = {} } = note
  if (!operation) throw new Error(`${path} serves no operation`)
  const body = inputs.find((input) => input.in === 'json')
  return {
    summary: operation.summary,
    ...(operation.description ? { description: operation.description } : {}),
    security: bearer ? [{ bearer: [] }] : [],
    parameters: [...pathParameters(path, inputs, components), ...inputs.flatMap((input) => namedParameters(input, components))],
    ...(body
      ? { requestBody: { required: !body.optional, content: content(body.schema, components.schema(body.schema, 'input'), body.type) } }
      : {}),
    responses: {
      [status]: {
        description: STATUS_CODES[status],
        headers: { ...headerRefs('X-Request-Id'), ...ownHeaders(headers) },
        content: content(operation.output, components.schema(operation.output, 'output')),
      },
      ...Object.fromEntries(possible(path, errors).map((kind) => [problemKinds[kind].status, components.problem(kind)])),
      ...Object.fromEntries(
        Object.entries(answers).map(([code, { description, schema }]) => [
          code,
          {
            description,
            headers: headerRefs('X-Request-Id'),
            ...(schema ? { content: content(schema, components.schema(schema, 'output')) } : {}),
          },
        ]),
      ),
    },
  }
}

/** The errors of a route: its own, and the ones that any route may have. */
function possible(path: string, errors: readonly ErrorKind[]): ErrorKind[] {
  const any: ErrorKind[] = isOwn(path) ? ['unavailable', 'internal'] : ['internal']
  return [...new Set([...errors, ...any])]
}

function pathParameters(path: string, inputs: readonly Input[], components: Components): Json[] {
  const known = new Map(inputs.filter((input) => input.in === 'path').flatMap((input) => Object.entries(input.schema.shape)))
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => components.pathParameter(name, known.get(name)))
}

function namedParameters(input: Input, components: Components): Json[] {
  if (input.in !== 'query' && input.in !== 'header') return []
  return Object.entries(input.schema.shape).map(([name, field]) => {
    const { description, ...schema } = components.schema(field, 'input')
    return { name, in: input.in, required: !field.safeParse(undefined).success, ...(description ? { description } : {}), schema }
  })
}

const ownHeaders = (headers: Record<string, string>): Json =>
  Object.fromEntries(Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]))
