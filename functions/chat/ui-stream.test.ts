// The end of a UI message stream, in particular for clients that stop reading.
import { once } from 'node:events'
import { connect } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { serve } from '../../shared/runtime/serve.ts'
import { uiStream } from './ui-stream.ts'

const start = { messageId: 'm', messageMetadata: {} }

it('ends a stream with an error part when the answer fails or throws', async () => {
  const told = new Response(uiStream(start, async () => 'No milk today.', { keepAliveMs: 1_000, unreadMs: 1_000 }))
  expect(await told.text()).toContain('{"type":"error","errorText":"No milk today."}')
  const thrown = new Response(uiStream(start, () => Promise.reject(new Error('secret')), { keepAliveMs: 1_000, unreadMs: 1_000 }))
  const text = await thrown.text()
  expect(text).toMatch(/"type":"error".*\n\ndata: {"type":"finish"}\n\ndata: \[DONE\]\n\n$/)
  expect(text).not.toContain('secret')
})

it('closes the connection of a client that does not read its stream', async () => {
  const closed = Promise.withResolvers<void>()
  const app = new Hono<{ Bindings: HttpBindings }>().get('/', (c) => {
    c.env.outgoing.on('close', () => closed.resolve())
    // More than the buffers of both sockets hold.
    const answer = async (emit: Parameters<Parameters<typeof uiStream>[1]>[0]) => {
      for (let piece = 0; piece < 64; piece++) emit({ type: 'text', text: 'x'.repeat(1024 * 1024) })
      return undefined
    }
    return c.body(uiStream(start, answer, { keepAliveMs: 1_000, unreadMs: 200 }))
  })
  const serving = await serve(app as unknown as Parameters<typeof serve>[0], { port: 0, host: '127.0.0.1' })
  const socket = connect(serving.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await closed.promise
  socket.destroy()
  await serving.drain({ lameDuck: 0 })
})
