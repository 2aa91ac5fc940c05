// Limits the bytes of a body. With a Content-Length, the header decides and the body stays unread; only a chunked body is counted here.
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../core/errors.ts'
import { slotOf } from './admission.ts'
import { incomingOf } from './node-env.ts'

/** Rejects a longer body with 413; the connection stays usable for the next request. */
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
 * The bytes of the body. While a slow client sends them, the request's slot is released.
 * @throws AppError `malformed` when it ends early, `unavailable` when no slot is free afterwards
 */
export async function readBody(c: Context): Promise<ArrayBuffer> {
  const reading = c.req.raw.arrayBuffer().catch(endedEarly)
  return (await hasArrived(c)) ? reading : slotOf(c).aside(reading)
}

/** Whether the whole request has been received. Node has read a body in the packet of the headers by this turn of the event loop. */
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

/** Reads on while the response is sent, because a client that is still sending would never read it. The server's timeout ends this. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // The client has disconnected.
  }
}

const tooLarge = (max: number) => new AppError('too_large', `A body may have ${max} bytes at the most.`)

/** Maps the error of a body whose client disconnected before its end. */
function endedEarly(cause: unknown): never {
  throw new AppError('malformed', 'The body ended before it was complete.', { cause })
}
