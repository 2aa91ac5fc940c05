// What a route says of itself: each middleware that demands or promises something carries a note of it, and openapi.ts reads the notes.
import type { Env, Input, MiddlewareHandler } from 'hono'
import type { z } from 'zod'
import type { ErrorKind } from '../core/errors.ts'
import type { OperationSpec } from '../core/operation.ts'

export type RouteNote = {
  /** The function that serves it, and what that one is for. */
  function?: string
  about?: string
  /** What the route does; a route has exactly one. */
  operation?: Pick<OperationSpec, 'name' | 'summary' | 'description' | 'output' | 'errors'>
  /** The status of success, and the headers that come with it. */
  status?: number
  headers?: Record<string, string>
  /** Whether a bearer token is needed. */
  bearer?: boolean
  /** The events that the function's todos tell the world, by their type. */
  tells?: Readonly<Record<string, EventSpec>>
  inputs?: readonly { in: 'path' | 'query' | 'header' | 'json'; schema: z.ZodObject; optional?: boolean; type?: string }[]
  errors?: readonly ErrorKind[]
  /** Answers, by status, that are neither the success nor a problem. Without a schema the body is empty. */
  answers?: Readonly<Record<number, { description: string; schema?: z.ZodObject }>>
}

/** What an event says, and the form of its data. */
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

/** Names the operation that a route serves. Does nothing to the request. */
export function serves(
  operation: { spec: OperationSpec } | NonNullable<RouteNote['operation']>,
  answer: Pick<RouteNote, 'status' | 'headers' | 'answers'> = {},
): MiddlewareHandler {
  return annotate((_c, next) => next(), { operation: 'spec' in operation ? operation.spec : operation, ...answer })
}
