// The model's client against servers that send too much, never end, or redirect: over real HTTP.
import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startServer } from '../../shared/testing/http-server.ts'
import { chatLimits } from './limits.ts'
import { createModel, type Question } from './model.ts'

const limits = { ...chatLimits, retryPauseMs: 1 }

/** A model's server that answers with `listener`; `closed` resolves when the connection of a request has closed. */
async function startModelServer(listener: RequestListener) {
  const gone = Promise.withResolvers<void>()
  let requests = 0
  const { url, stop } = await startServer((request, response) => {
    requests++
    response.on('close', () => gone.resolve()).on('error', () => {})
    listener(request, response)
  })
  onTestFinished(stop)
  return { url, closed: gone.promise, requests: () => requests }
}

const askAt = (url: string, question: Partial<Question> = {}) =>
  createModel(
    { apiKey: 'sk-secret', baseUrl: url, model: 'm' },
    limits,
  )({ messages: [], tools: [], signal: AbortSignal.timeout(20_000), onText: undefined, ...question })

const json = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'application/json' })
const events = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' })
const chunk = (delta: object, finish_reason: string | null = null) => `data: ${JSON.stringify({ choices: [{ delta, finish_reason }] })}\n\n`

/** Writes until the connection has closed; returns the number of bytes. */
async function flood(response: ServerResponse, piece: string): Promise<number> {
  let bytes = 0
  const pump = () => {
    do bytes += piece.length
    while (response.write(piece))
  }
  response.on('drain', pump)
  pump()
  await once(response, 'close')
  return bytes
}

async function drip(response: ServerResponse, write: (piece: string) => void): Promise<void> {
  while (!response.destroyed) {
    write('x')
    await sleep(10)
  }
}

describe('a long answer', () => {
  it.each([
    ['in one delta', [1_000_000]],
    ['in many deltas', Array<number>(1_000).fill(1_000)],
  ])('is cut at the limit of bytes before it is kept or shown, %s', async (_, lengths) => {
    const { url } = await startModelServer((_request, response) => {
      events(response)
      for (const length of lengths) response.write(chunk({ content: '€'.repeat(length / 3) }))
      response.end(chunk({}, 'stop'))
    })
    const shown: string[] = []
    const { text } = await askAt(url, { onText: (piece) => shown.push(piece) })
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limits.answerBytes)
    expect(Buffer.byteLength(text)).toBeGreaterThan(limits.answerBytes - 3)
    expect(text).toBe('€'.repeat(text.length))
    expect(shown.join('')).toBe(text)
  })

  it('truncates a long JSON answer', async () => {
    const { url } = await startModelServer((_request, response) => {
      json(response).end(JSON.stringify({ choices: [{ message: { content: '€'.repeat(500_000) } }] }))
    })
    expect(Buffer.byteLength((await askAt(url)).text)).toBeLessThanOrEqual(limits.answerBytes)
  })

  it('keeps one character more of a call than its limits, so that it is rejected', async () => {
    const { url } = await startModelServer((_request, response) => {
      events(response)
      for (let index = 0; index < 200; index++) {
        const call = { index, id: 'i'.repeat(5_000), function: { name: 'n'.repeat(5_000), arguments: '' } }
        response.write(
          chunk({ tool_calls: [index === 0 ? { ...call, function: { ...call.function, arguments: 'x'.repeat(1e6) } } : call] }),
        )
      }
      response.end(chunk({}, 'tool_calls'))
    })
    const { calls } = await askAt(url, { onText: () => {} })
    expect(calls).toHaveLength(limits.answerCalls)
    expect(calls[0]?.arguments).toHaveLength(limits.argumentChars + 1)
    expect(calls[0]?.name).toHaveLength(200)
  })
})

describe('a body without an end', () => {
  it.each([
    ['of JSON', json, undefined],
    ['of events', events, () => {}],
    ['of one event', (response: ServerResponse) => events(response).write('data: '), () => {}],
    ['of an error', (response: ServerResponse) => response.writeHead(400, { 'content-type': 'application/json' }), undefined],
  ])('%s is read up to the limit; then the request is aborted', async (_, begin, onText) => {
    const sent = Promise.withResolvers<number>()
    const { url, closed, requests } = await startModelServer((_request, response) => {
      begin(response)
      sent.resolve(flood(response, ' '.repeat(64 * 1024)))
    })
    await expect(askAt(url, { onText })).rejects.toMatchObject({ kind: 'bad_gateway' })
    await closed
    // The sockets' buffers take some megabytes that are never read.
    expect(await sent.promise).toBeLessThan(limits.bodyBytes + 16 * 1024 * 1024)
    expect(requests()).toBe(1)
  })
})

describe('a server that sends a byte now and then', () => {
  it.each([
    ['of its headers', (response: ServerResponse) => void response.socket?.write('HTTP/1.1 200 OK\r\nx: '), undefined],
    ['of its JSON', (response: ServerResponse) => void json(response).write('{"'), undefined],
    ['of a stream', (response: ServerResponse) => void events(response).write('data: '), () => {}],
    ['of an error', (response: ServerResponse) => void response.writeHead(500).write('x'), undefined],
  ])('%s is hung up on when the time is up', async (_, begin, onText) => {
    const { url, closed, requests } = await startModelServer((_request, response) => {
      begin(response)
      void drip(response, (piece) => (response.headersSent ? response.write(piece) : response.socket?.write(piece)))
    })
    const signal = AbortSignal.timeout(300)
    await expect(askAt(url, { onText, signal })).rejects.toMatchObject({ name: 'TimeoutError' })
    await closed
    expect(requests()).toBe(1)
  })
})

it.each([301, 302, 307, 308])('does not follow a redirect with status %i: the key and the words stay here', async (status) => {
  const elsewhere = await startModelServer((_request, response) => json(response).end('{}'))
  const { url, requests } = await startModelServer((_request, response) => response.writeHead(status, { location: elsewhere.url }).end())
  await expect(askAt(url)).rejects.toMatchObject({ kind: 'bad_gateway', message: expect.stringContaining('OPENAI_BASE_URL') })
  expect(elsewhere.requests()).toBe(0)
  expect(requests()).toBe(1)
})
