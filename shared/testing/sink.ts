// What tests of events are made of: an outbox that nobody else looks into, and a sink that keeps what it is sent.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createDb, raw } from '@todo/prisma'
import { migrate } from '@todo/prisma/migrate'
import { CloudEvent, HTTP } from 'cloudevents'
import { afterAll, inject } from 'vitest'

const open = new Set<() => unknown>()
afterAll(() => Promise.all([...open].map((close) => close())))

/** A migrated database of its own on the tests' server, gone when the test file ends. */
export async function newOutboxDatabase(): Promise<string> {
  const server = createDb({ url: inject('databaseUrl'), poolSize: 1 })
  const name = `events_${randomUUID().replaceAll('-', '')}`
  await server.execute(raw(`CREATE DATABASE ${name}`))
  open.add(async () => {
    await server.execute(raw(`DROP DATABASE ${name} WITH (FORCE)`))
    await server.close()
  })
  const url = Object.assign(new URL(inject('databaseUrl')), { pathname: `/${name}` }).href
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
  const server = http.createServer(async (request, response) => {
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
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.add(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events?of=todos`, events, peak: () => peak }
}
