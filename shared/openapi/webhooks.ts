// The events of an API description: OpenAPI's webhooks, which are requests to the sink, made from the events' own schemas.
import { dataSchemaOf, EVENT_SOURCE } from '../events/cloud-event.ts'
import { RETRIED } from '../events/sink.ts'
import { type Components, content, type Json } from './components.ts'
import type { EventSpec } from './route.ts'

export function webhooks(events: Readonly<Record<string, EventSpec>>, components: Components): Json {
  return Object.fromEntries(Object.entries(events).map(([type, spec]) => [type, { post: webhook(type, spec, components) }]))
}

function webhook(type: string, { summary, data }: EventSpec, components: Components): Json {
  return {
    operationId: `on_${type.replaceAll('.', '_')}`,
    tags: ['events'],
    summary,
    description:
      'A CloudEvent 1.0 in binary mode. It comes at least once: the same `id` is the same event. Those of one subject come in order.',
    security: [],
    parameters: attributes(type),
    requestBody: { required: true, content: content(data, components.schema(data, 'output')) },
    responses: {
      '2XX': { description: 'Taken' },
      '4XX': { description: `Refused for good; but ${[...RETRIED].join(', ')} are tried again, as \`Retry-After\` says` },
      '5XX': { description: 'To be tried again, as `Retry-After` says' },
    },
  }
}

function attributes(type: string): Json[] {
  const header = (name: string, schema: Json, description?: string) => ({
    name: `ce-${name}`,
    in: 'header',
    required: name !== 'traceparent',
    ...(description ? { description } : {}),
    schema: { type: 'string', ...schema },
  })
  return [
    header('specversion', { const: '1.0' }),
    header('id', { format: 'uuid' }),
    header('source', { const: EVENT_SOURCE }),
    header('type', { const: type }),
    header('subject', { format: 'uuid' }, 'What it is about: the id of the todo'),
    header('time', { format: 'date-time' }, 'When the change was made'),
    header(
      'dataschema',
      { const: dataSchemaOf(type) },
      'Names the schema of the body. Data that old readers could not read would have another',
    ),
    header('sequence', { pattern: '^\\d{20}$' }, 'Ascending for one subject, as text, for whoever gets its events out of order'),
    header('partitionkey', { format: 'uuid' }, 'The subject: brokers that partition keep the order by it'),
    header('traceparent', {}, 'The trace that the change was part of (W3C Trace Context)'),
  ]
}
