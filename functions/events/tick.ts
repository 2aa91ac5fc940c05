// Validates a tick: an event of a Knative PingSource, in either mode of the CloudEvents HTTP binding. Its content is not used.
import { createMiddleware } from 'hono/factory'
import { z } from 'zod'
import { AppError } from '../../shared/core/errors.ts'
import { body, headers, mediaType } from '../../shared/http/validate.ts'
import { annotate } from '../../shared/openapi/route.ts'

const STRUCTURED = 'application/cloudevents+json'

const name = z.string().min(1).max(1024)
const attributes = { specversion: z.literal('1.0'), id: name, source: name, type: z.literal('dev.knative.sources.ping') }
const example = {
  specversion: '1.0',
  id: '5f2d6a8e-6c35-4b0e-9a3f-0d1c52f7be11',
  source: '/apis/v1/namespaces/todo/pingsources/todo-sweep',
  type: 'dev.knative.sources.ping',
}

/** Extensions, `time` and data may be anything. */
const Structured = z.looseObject(attributes).meta({ example })
const Binary = z.object(Object.fromEntries(Object.entries(attributes).map(([name, schema]) => [`ce-${name}`, schema])))

/** Rejects anything else with 400, 415 or 422, which Knative does not retry. */
export function tick() {
  const structured = body(Structured, { type: STRUCTURED })
  const binary = headers(Binary)
  const either = createMiddleware((c, next) => {
    const type = mediaType(c) ?? ''
    if (type === STRUCTURED) return structured(c, next)
    if (type.startsWith('application/cloudevents'))
      throw new AppError('unsupported_media_type', `One event is taken at a time, as ${STRUCTURED}.`)
    return binary(c, next)
  })
  return annotate(either, {
    inputs: [
      { in: 'header', schema: Binary.partial() },
      { in: 'json', schema: Structured, type: STRUCTURED, optional: true },
    ],
    errors: ['malformed', 'too_large', 'unsupported_media_type', 'invalid'],
  })
}
