// An invalid request is answered under its own id, so that its client does not wait for a timeout.
import { describe, expect, it } from 'vitest'
import { newUser } from '../../shared/testing/context.ts'
import { messageLimits, parseMessage } from './messages.ts'
import { openSocket, startMcp } from './testing.ts'

const world = await startMcp()
const user = await newUser(world)

const overSocket = async (message: object): Promise<unknown> => {
  const { opened, say, next, socket } = openSocket(world.socketUrl, { headers: user.headers })
  await opened
  say(message)
  const answer = await next()
  socket.close()
  return answer
}
const overPost = async (message: object): Promise<unknown> => {
  const answer = await fetch(world.url, {
    method: 'POST',
    headers: { ...user.headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify(message),
  })
  expect(answer.status).toBe(200)
  return answer.json()
}

describe.each([
  ['a socket', overSocket],
  ['POST', overPost],
])('over %s', (_name, ask) => {
  it.each<[string, object]>([
    ['params that are an array', { method: 'tools/list', params: [] }],
    ['params that are null', { method: 'tools/list', params: null }],
    ['params that are text', { method: 'no/such/method', params: 'all' }],
    ['a tool name that is missing', { method: 'tools/call', params: {} }],
    ['arguments that are an array', { method: 'tools/call', params: { name: 'list_tasks', arguments: [] } }],
    ['a progressToken that is an object', { method: 'tools/list', params: { _meta: { progressToken: {} } } }],
    ['a progressToken that is null', { method: 'tools/call', params: { name: 'list_tasks', _meta: { progressToken: null } } }],
    ['a progressToken with a fraction', { method: 'ping', params: { _meta: { progressToken: 1.5 } } }],
    ['_meta that is text', { method: 'ping', params: { _meta: 'x' } }],
  ])('answers -32602 under the id of a request with %s', async (_case, message) => {
    expect(await ask({ jsonrpc: '2.0', id: 'mine', ...message })).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      error: { code: -32602, message: expect.stringMatching(/^params/) },
    })
  })

  it.each<[string, object]>([
    ['a method that is no text', { method: 5 }],
    ['a member that JSON-RPC does not have', { method: 'ping', more: true }],
  ])('answers -32600 under the id of a request with %s', async (_case, message) => {
    expect(await ask({ jsonrpc: '2.0', id: 0, ...message })).toMatchObject({ id: 0, error: { code: -32600 } })
  })

  it('quotes at most 200 characters of an invalid request', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`member-${n}`, 0]))
    const answer = await ask({ jsonrpc: '2.0', id: 1, method: 'ping', ...unknown })
    expect(JSON.stringify(answer).length).toBeLessThan(400)
  })
})

describe('a message', () => {
  const bytes = (text: string) => Buffer.from(text)

  const { values, levels } = messageLimits

  it.each([
    ['numbers', `[${'1,'.repeat(values)}1]`],
    ['nested arrays', `${'['.repeat(levels + 1)}${']'.repeat(levels + 1)}`],
    ['empty objects', `[${'{},'.repeat(values)}{}]`],
    ['members', `{${Array.from({ length: values + 1 }, (_, n) => `"${n}":0`).join()}}`],
  ])('is not parsed when it has too many values or levels: %s', (_kind, text) => {
    expect(parseMessage(bytes(text))).toMatchObject({ type: 'unreadable', error: { code: -32600 } })
  })

  it('parses a message with any number of commas, quotes and brackets in its texts', () => {
    const text = JSON.stringify([...Array(values - 10).fill(0), '[{,"\\\\'.repeat(10_000), 'é,'])
    expect(parseMessage(bytes(text)).type).toBe('value')
  })

  it('answers -32700 to a message that is not UTF-8', () => {
    expect(parseMessage(Buffer.from([0x22, 0xff, 0x22]))).toMatchObject({ type: 'unreadable', error: { code: -32700 } })
  })

  it('answers -32600 to a message with too many values, and keeps its socket open', async () => {
    expect(await overSocket(Array(20_000).fill(0))).toMatchObject({ id: null, error: { code: -32600 } })
  })
})

describe('legacy messages', () => {
  it.each([[['milk']], ['milk'], [5]])('answers -32602 under its own id to a legacy message with the params %j', async (params) => {
    expect(await overSocket({ method: 'call/add_task', params, id: 7 })).toEqual({
      id: 7,
      error: { code: -32602, message: 'params: must be an object' },
    })
  })

  it('answers a legacy message with an invalid id under null', async () => {
    expect(await overSocket({ method: 'call/list_tasks', id: { a: 1 } })).toMatchObject({ id: null, result: { count: 0 } })
  })
})
