// An outbox event as the world sees it: a CloudEvent 1.0 in HTTP's binary mode (https://github.com/cloudevents/spec).
import type { OutboxEvent } from './outbox.ts'

/** Attributes that the platform wants on every event: the `extensions` of Knative's K_CE_OVERRIDES. */
export type Extensions = Readonly<Record<string, string>>

/** The `source` attribute: with `id` it identifies an event, so that consumers can deduplicate. */
export const EVENT_SOURCE = '/todo-backend/todos'

/** Names the schema of a type's data, as the events function's API description has it. Another number: data that old readers cannot read. */
export const dataSchemaOf = (type: string) => `urn:todo-backend:${type}:1`

/** The SDK brings a schema compiler along, which a process without deliveries need not load. */
let sdk: Promise<typeof import('cloudevents')> | undefined

export type Message = { headers: Record<string, string>; body: string }

/**
 * Besides the core attributes: `traceparent` (Distributed Tracing extension), `sequence` (20 digits, for consumers that get events of one
 * subject out of order) and `partitionkey` (by which ordered brokers, such as Knative's for Kafka, keep them in order).
 */
export async function toMessage(event: OutboxEvent, extensions: Extensions): Promise<Message> {
  sdk ??= import('cloudevents')
  const { CloudEvent, HTTP } = await sdk
  const { headers, body } = HTTP.binary(
    new CloudEvent({
      id: event.id,
      source: EVENT_SOURCE,
      type: event.type,
      subject: event.subject,
      time: event.created_at.toISOString(),
      datacontenttype: 'application/json',
      dataschema: dataSchemaOf(event.type),
      sequence: String(event.sequence).padStart(20, '0'),
      partitionkey: event.subject,
      ...(event.traceparent === null ? {} : { traceparent: event.traceparent }),
      ...extensions,
      data: event.data,
    }),
  )
  return {
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, headerValue(String(value))])),
    body: String(body),
  }
}

/** HTTP protocol binding, section 3.1.3.2: what is no printable ASCII, and space, `"` and `%`, is percent-encoded. The SDK leaves it as it is. */
const headerValue = (value: string) => value.toWellFormed().replace(/[^!#$&-~]/gu, encodeURIComponent)
