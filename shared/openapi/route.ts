// Notes on routes: a middleware that requires or adds something carries a note, and openapi.ts makes the API description of them.
import type { Env, Input, MiddlewareHandler } from 'hono'
import type { z } from 'zod'
import type { ErrorKind } from '../core/errors.ts'
import type { OperationSpec } from '../core/operation.ts'

export type RouteNote = {
  /** The function that serves the route, and its purpose. */
  function?: string
  about?: string
  /** The operation; a route has exactly one. */
  operation?: Pick<OperationSpec, 'name' | 'summary' | 'description' | 'output' | 'errors'>
  /** The status of success, and its headers. */
  status?: number
  headers?: Record<string, string>
  /** Whether the route requires a bearer token. */
  bearer?: boolean
  /** The events that the function's document describes, by type. */
  events?: Readonly<Record<string, EventSpec>>
  inputs?: readonly { in: 'path' | 'query' | 'header' | 'json'; schema: z.ZodObject; optional?: boolean; type?: string }[]
  errors?: readonly ErrorKind[]
  /** Other responses than the success and problems, by status. Without a schema the body is empty. */
  answers?: Readonly<Record<number, { description: string; schema?: z.ZodObject }>>
}

/** An event's meaning, and the schema of its data. */
export type EventSpec = { summary: string; data: z.ZodObject }

const notes = new WeakMap<object, RouteNote>()

export function noteOf(handler: object): RouteNote | undefined {
  return notes.get(handler)
}

export function annotate<E extends Env, P extends string, I extends Input>(
  handler: MiddlewareHandler<E, P, I>,
  note: RouteNote,
): MiddlewareHandler<E, P, I> {
  notes.set(handler, note)
  return handler
}

/** A no-op middleware that notes which operation the route serves. */
export function serves(
  operation: { spec: OperationSpec } | NonNullable<RouteNote['operation']>,
  answer: Pick<RouteNote, 'status' | 'headers' | 'answers'> = {},
): MiddlewareHandler {
  return annotate((_c, next) => next(), { operation: 'spec' in operation ? operation.spec : operation, ...answer })
}
