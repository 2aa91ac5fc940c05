// How many bytes a body may have. A length that is announced is judged by its announcement, so that the body itself is left to whoever
// reads it; only one that comes in chunks is counted here.
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../core/errors.ts'
import { slotOf } from './admission.ts'
import { incomingOf } from './node-env.ts'

/** Refuses a longer body with 413, and leaves the connection fit for the next request. */
export function limitBody(max: number) {
  return createMiddleware(async (c, next) => {
    const { headers, method } = c.req.raw
    const length = headers.get('content-length')
    if (method === 'GET' || method === 'HEAD') return next()
    if (length !== null && !headers.has('transfer-encoding')) {
      if (Number(length) <= max) return next()
      throw tooLarge(max)
    }
    const { body } = c.req.raw
    if (body) c.req.raw = new Request(c.req.raw, { body: await slotOf(c).aside(read(body, max)) })
    return next()
  })
}

/**
 * The bytes of the body. A client that is slow to send them takes no place from others.
 * @throws AppError `malformed` when it ends early, `unavailable` when the request cannot go on in time
 */
export async function readBody(c: Context): Promise<ArrayBuffer> {
  const reading = c.req.raw.arrayBuffer().catch(endedEarly)
  return (await hasArrived(c)) ? reading : slotOf(c).aside(reading)
}

/** Whether the whole request has been received. What came in one packet with the headers is read in this turn of the event loop. */
async function hasArrived({ env }: Context): Promise<boolean> {
  await undefined
  return incomingOf(env)?.complete ?? true
}

async function read(body: ReadableStream<Uint8Array>, max: number) {
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  for (let size = 0; ; ) {
    const { done, value } = await reader.read().catch(endedEarly)
    if (done) return Buffer.concat(chunks)
    size += value.length
    if (size > max) {
      discard(reader)
      throw tooLarge(max)
    }
    chunks.push(value)
  }
}

/** Reads on while the answer goes out: a caller that is still sending would otherwise never see it. The server ends this, in time. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // The caller is gone, and nobody waits for the rest.
  }
}

const tooLarge = (max: number) => new AppError('too_large', `A body may have ${max} bytes at the most.`)

/** What reading a body throws when its sender goes away before its end. */
function endedEarly(cause: unknown): never {
  throw new AppError('malformed', 'The body ended before it was complete.', { cause })
}
