// Every input is hostile: what is refused, with which status, and what the refusal points at.
import type { Hono } from 'hono'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { text } from '../core/text.ts'
import { Problem } from '../openapi/problems.ts'
import { answer, testDeps } from '../testing/context.ts'
import { createApp } from './app.ts'
import type { AppEnv } from './types.ts'
import { body, path, query } from './validate.ts'

const { deps } = testDeps()
afterAll(() => deps.db.close())

const Note = z.strictObject({
  title: text(1, 20),
  'a/b~c': z.string().optional(),
  tags: z.array(z.strictObject({ name: z.string() })).optional(),
})
const app: Hono<AppEnv> = createApp({ name: 'notes' }, deps)
  .post('/notes', body(Note), (c) => c.json(c.req.valid('json')))
  .patch('/notes', body(z.strictObject({ done: z.boolean().optional() }), { optional: true }), (c) => c.json(c.req.valid('json')))
  .get('/notes', query(z.strictObject({ limit: z.int().min(1).max(500).default(100), q: text(0, 10).optional() })), (c) =>
    c.json(c.req.valid('query')),
  )
  .get('/notes/:id', path(z.strictObject({ id: z.uuid() })), (c) => c.json(c.req.valid('param')))

const JSON_TYPE = { 'content-type': 'application/json' }
const post = (content: RequestInit['body'], headers: Record<string, string> = JSON_TYPE) =>
  app.request('/notes', { method: 'POST', body: content, headers })

async function refusal(response: Response | Promise<Response>) {
  const { status, errors = [], detail } = await answer(await response, Problem)
  return { status, detail, errors }
}
const unknown = (name: string) => ({ pointer: `#/${name}`, detail: 'is not a field known here' })

const BYTES = 131_000
const fill = (begin: string, part: string, end: string) => `${begin}${part.repeat((BYTES - begin.length - end.length) / part.length)}${end}`
const numbered = Array.from({ length: 11_000 }, (_, index) => `"k${String(index).padStart(5, '0')}":1`)
const hostile: [string, string][] = [
  ['unknown fields', `{${numbered}}`],
  ['unknown fields of a part', `{"title":"a","tags":[{${numbered}}]}`],
  ['wrong items', fill('{"title":"a","tags":[', '1,', '1]}')],
  ['wrong parts of items', fill('{"title":"a","tags":[', '{"name":1},', '1]}')],
  ['nested arrays', fill('{"title":"a","tags":', '[', '')],
  ['closed nested arrays', `{"title":${'['.repeat(60_000)}${']'.repeat(60_000)}}`],
  ['nested objects', fill('{"title":', '{"a":', '')],
  ['a long text', fill('{"title":"', 'a', '"}')],
  ['a text of spaces', fill('{"title":"a', ' ', 'b"}')],
  ['a text of escapes', fill('{"title":"', '\\u0000', '"}')],
  ['a text of combining characters', fill('{"title":"', 'e\u0301', '"}')],
  ['an open string', fill('{"title":"', '\\"', '')],
]

describe('a body', () => {
  it('is taken when it matches', async () => {
    const response = await post('{"title":"  Grüße 👋 "}', { 'content-type': 'Application/JSON ; charset=utf-8' })
    expect([response.status, await response.json()]).toEqual([200, { title: 'Grüße 👋' }])
  })

  it.each(['constructor', '__proto__', 'toString', 'Title', 'user_id'])('may not have the unknown field %s, own or not', async (name) => {
    const sent = `{"title":"a","${name}":{"admin":true}}`
    expect(await refusal(post(sent))).toMatchObject({ status: 422, errors: [unknown(name)] })
  })

  it('has every fault reported at once, with pointers that are escaped', async () => {
    const sent = { 'a/b~c': 1, tags: [{ name: 'ok' }, { name: 7, 'x/y~z': 1 }], other: 0 }
    const { status, errors } = await refusal(post(JSON.stringify(sent)))
    expect(status).toBe(422)
    expect(errors.map(({ pointer }) => pointer).sort()).toEqual(['#/a~1b~0c', '#/other', '#/tags/1/name', '#/tags/1/x~1y~0z', '#/title'])
    expect(errors).toContainEqual({ pointer: '#/title', detail: 'is required' })
  })

  it('may hold neither NUL nor a lone surrogate', async () => {
    for (const title of ['a\\u0000b', 'a\\ud800b', '\\udc00'])
      expect(await refusal(post(`{"title":"${title}"}`))).toMatchObject({ status: 422, errors: [{ pointer: '#/title' }] })
  })

  it('must be UTF-8, and nothing that merely looks like it', async () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf5, 0x80, 0x80, 0x80]]) {
      const sent = Buffer.concat([Buffer.from('{"title":"'), Buffer.from(bytes), Buffer.from('"}')])
      expect(await refusal(post(sent))).toMatchObject({ status: 400 })
    }
    const utf16 = Buffer.from('{"title":"a"}', 'utf16le')
    expect(await refusal(post(utf16))).toMatchObject({ status: 400 })
    // RFC 8259, section 8.1: no byte order mark.
    expect(await refusal(post('\uFEFF{"title":"a"}'))).toMatchObject({ status: 400 })
  })

  it.each(['', ' ', '{', '{"title":"a"', '{"title":"a"}x', "{'title':'a'}", '{"title":"a",}', 'undefined', '{"title":NaN}'])(
    'must be JSON, which %j is not',
    async (sent) => {
      expect(await refusal(post(sent))).toMatchObject({ status: 400, errors: [] })
    },
  )

  it.each(['null', '1', '"text"', 'true', '[]', '[{"title":"a"}]', '{}'])(
    'must be an object with what is needed, which %s is not',
    async (sent) => {
      expect(await refusal(post(sent))).toMatchObject({ status: 422 })
    },
  )

  it('may be nested as deep as it likes, and is refused for what it is', async () => {
    const deep = (open: string, close: string) => `{"title":${open.repeat(20_000)}1${close.repeat(20_000)}}`
    for (const sent of [deep('[', ']'), deep('{"a":', '}').slice(0, 130_000)]) {
      const { status } = await refusal(post(sent))
      expect([400, 422]).toContain(status)
    }
  })

  it('has at most 20 faults named, in an answer of a few kilobytes, however many it has', async () => {
    const fields = Array.from({ length: 4_000 }, (_, index) => `"field-${index}":1`)
    for (const sent of [`{"title":"a",${fields}}`, `{"title":"a","tags":[${Array(1_000).fill('{"name":1,"x":1}')}]}`]) {
      const text = await (await post(sent)).text()
      expect(Problem.parse(JSON.parse(text)).errors).toHaveLength(20)
      expect(text.length).toBeLessThan(5_000)
    }
  })

  it('has the name of a field cut that is longer than 200 characters, where a fault points at it', async () => {
    const { errors, detail = '' } = await refusal(post(JSON.stringify({ title: 'a', [`${'~'.repeat(100)}${'👋'.repeat(20_000)}`]: 1 })))
    expect(errors).toHaveLength(1)
    expect(errors[0]?.pointer).toMatch(/^#\/(~0)+/)
    expect(errors[0]?.pointer.length).toBeLessThan(210)
    expect(detail.length).toBeLessThan(250)
    expect(detail.isWellFormed()).toBe(true)
  })

  it('may hold 5,000 values, 32 levels deep, and is refused with the reason when it has more', async () => {
    const loose: Hono<AppEnv> = createApp({ name: 'loose' }, deps).post('/any', body(z.looseObject({})), (c) => c.json({}))
    const any = (content: string) => loose.request('/any', { method: 'POST', body: content, headers: JSON_TYPE })
    const wide = (values: number) => `{"a":[${Array(values - 2).fill('"[,{"')}]}`
    const deep = (levels: number) => `{"\\\\":"\\"",${'"a":{'.repeat(levels - 1)}${'}'.repeat(levels)}`
    expect((await any(wide(5_000))).status).toBe(200)
    expect((await any(deep(32))).status).toBe(200)
    for (const sent of [wide(5_001), deep(33)]) {
      const { status, detail } = await refusal(any(sent))
      expect([status, detail]).toEqual([400, 'A body may hold 5000 values, nested 32 levels deep, at the most.'])
    }
  })

  it.each(hostile)('is refused for less than 50 ms of processor time when it is made to be costly: %s', async (_, sent) => {
    await post(sent)
    const before = process.threadCpuUsage()
    const response = await post(sent)
    const { user, system } = process.threadCpuUsage(before)
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect((user + system) / 1000).toBeLessThan(50)
  })

  it('must say that it is JSON', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonx',
      'text/json',
    ])
      expect(await refusal(post('{"title":"a"}', { 'content-type': type }))).toMatchObject({ status: 415 })
    expect(await refusal(post(Buffer.from('{"title":"a"}'), {}))).toMatchObject({ status: 415 })
  })

  it('may be left out where it is optional, and only there', async () => {
    const patch = (init: RequestInit) => app.request('/notes', { method: 'PATCH', ...init })
    expect(await (await patch({})).json()).toEqual({})
    expect(await (await patch({ body: '', headers: JSON_TYPE })).json()).toEqual({})
    expect(await refusal(patch({ body: 'null', headers: JSON_TYPE }))).toMatchObject({ status: 422 })
    expect(await refusal(patch({ body: '{"done":true}', headers: { 'content-type': 'text/plain' } }))).toMatchObject({ status: 415 })
  })

  it('may have 128 KiB, and not a byte more', async () => {
    const sized = (bytes: number) => `{"title":"a"}${' '.repeat(bytes - 13)}`
    expect((await post(sized(131_072))).status).toBe(200)
    expect(await refusal(post(sized(131_073)))).toMatchObject({ status: 413 })
    expect(await refusal(post('{}', { ...JSON_TYPE, 'content-length': '10000000' }))).toMatchObject({ status: 413 })
  })
})

describe('a query string', () => {
  it('of thousands of parameters is refused with at most 20 faults and for less than 50 ms of processor time', async () => {
    const many = `/notes?${Array.from({ length: 3_000 }, (_, index) => `p${index}`).join('&')}`
    await app.request(many)
    const before = process.threadCpuUsage()
    const refused = await app.request(many)
    const { user, system } = process.threadCpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(50)
    const { status, errors } = await refusal(refused)
    expect([status, errors.length]).toEqual([422, 20])
  })

  it('has numbers read where numbers are wanted', async () => {
    expect(await (await app.request('/notes?limit=7&q=12')).json()).toEqual({ limit: 7, q: '12' })
    expect(await (await app.request('/notes')).json()).toEqual({ limit: 100 })
  })

  it.each(['0', '501', '', '1.5', '1e2', '0x10', 'ten', ' 1', '99999999999999999999'])('may not ask for a page of %j', async (limit) => {
    expect(await refusal(app.request(`/notes?limit=${encodeURIComponent(limit)}`))).toMatchObject({
      status: 422,
      errors: [{ pointer: '#/limit' }],
    })
  })

  it('has each parameter once, and none that is unknown', async () => {
    expect(await refusal(app.request('/notes?q=a&q=b'))).toMatchObject({ status: 422, errors: [{ pointer: '#/q' }] })
    expect(await refusal(app.request('/notes?offset=3&__proto__=1'))).toMatchObject({
      status: 422,
      errors: expect.arrayContaining([unknown('offset'), unknown('__proto__')]),
    })
    expect(await refusal(app.request('/notes?q=%00'))).toMatchObject({ status: 422, errors: [{ pointer: '#/q' }] })
  })
})

describe('a part of the path', () => {
  it('is checked too', async () => {
    const id = '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10'
    expect(await (await app.request(`/notes/${id}`)).json()).toEqual({ id })
    for (const bad of ['1', '%00', '%ff', '%2e%2e%2fsecret', `${id}'--`])
      expect(await refusal(app.request(`/notes/${bad}`))).toMatchObject({ status: 422, errors: [{ pointer: '#/id' }] })
  })
})
