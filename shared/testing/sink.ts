// What tests of events are made of: an outbox that nobody else looks into, and a sink that keeps what it is sent.
import { migrate } from '@todo/prisma/migrate'
import { CloudEvent, HTTP } from 'cloudevents'
import { afterAll, inject } from 'vitest'
import { newDatabase } from '../../prisma/testing.ts'
import { startServer } from './http-server.ts'

const open = new Set<() => unknown>()
afterAll(() => Promise.all([...open].map((close) => close())))

/** A migrated database of its own on the tests' server, gone when the test file ends. */
export async function newOutboxDatabase(): Promise<string> {
  const { url, drop } = await newDatabase(inject('databaseUrl'))
  open.add(drop)
  await migrate({ url })
  return url
}

/** What to answer an event with: a status, maybe headers; nothing leaves it without an answer. */
export type Reply = number | { status: number; headers: Record<string, string> } | undefined

export type TestSink = {
  url: string
  /** What came, as the SDK reads it, in the order in which it came. */
  events: CloudEvent<unknown>[]
  /** The most deliveries that were under way at once. */
  peak: () => number
}

/** An HTTP server that takes events, each answered with what `reply` makes of it: 202, unless it says otherwise. */
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
    // Made anew, it is held against the specification.
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
