// For tests of events: an outbox of their own, and a sink that records the events it gets.
import { migrate } from '@todo/prisma/migrate'
import { CloudEvent, HTTP } from 'cloudevents'
import { afterAll, inject } from 'vitest'
import { newDatabase } from '../../prisma/testing.ts'
import { startServer } from './http-server.ts'

const open = new Set<() => unknown>()
afterAll(() => Promise.all([...open].map((close) => close())))

/** A migrated database of its own on the tests' server, dropped when the test file ends. */
export async function newMigratedDatabase(): Promise<string> {
  const { url, drop } = await newDatabase(inject('databaseUrl'))
  open.add(drop)
  await migrate({ url })
  return url
}

/** The response to an event: a status, maybe headers. `undefined` leaves it unanswered. */
export type Reply = number | { status: number; headers: Record<string, string> } | undefined

export type TestSink = {
  url: string
  /** The events received so far, as the SDK reads them, in order of arrival. */
  events: CloudEvent<unknown>[]
  /** The highest number of concurrent deliveries. */
  peak: () => number
}

/** An HTTP server that receives events and answers each with `reply`, by default 202. */
export async function startSink(reply: (event: CloudEvent<unknown>) => Reply | Promise<Reply> = () => 202): Promise<TestSink> {
  const events: CloudEvent<unknown>[] = []
  let underWay = 0
  let peak = 0
  const server = await startServer(async (request, response) => {
    peak = Math.max(peak, ++underWay)
    response.once('close', () => underWay--)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const event = HTTP.toEvent<unknown>({ headers: request.headers, body: Buffer.concat(chunks).toString() })
    if (Array.isArray(event)) throw new Error('a batch was sent')
    // The constructor validates it against the specification.
    const sound = new CloudEvent(event)
    events.push(sound)
    const answer = await reply(sound)
    if (answer === undefined) return
    const { status, headers } = typeof answer === 'number' ? { status: answer, headers: {} } : answer
    response.writeHead(status, headers).end()
  })
  open.add(server.stop)
  return { url: `${server.url}/events?of=todos`, events, peak: () => peak }
}
