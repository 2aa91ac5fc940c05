// The Big List of Naughty Strings in every text field of a todo: stored byte for byte or rejected, never a 5xx.
import naughty from 'big-list-of-naughty-strings/blns.json' with { type: 'json' }
import { afterAll, describe, expect, it } from 'vitest'
import { Problem } from '../../shared/openapi/problems.ts'
import { answer, newUser, testDeps } from '../../shared/testing/context.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'
import { todosApp } from './app.ts'

const world = testDeps()
const app = todosApp(world.deps)
afterAll(() => world.deps.db.close())

const more = [
  '\ufeffbom\ufeff',
  'a\u0000b',
  '\ud800',
  'x\udfff',
  '\u2028\u2029',
  '{"$ne":1}',
  '{a,b}',
  '{NULL}',
  '"',
  '\\',
  'e\u0301',
  '\u202etxet',
  '\u0007',
]
const strings: string[] = [...new Set([...naughty, ...more])]
const length = (text: string) => [...text].length
const storable = (text: string) => text.isWellFormed() && !text.includes('\0')
const fits = (text: string, min: number, max: number) => storable(text) && length(text.trim()) >= min && length(text.trim()) <= max

async function newClient() {
  const user = await newUser(world)
  const base = `/api/v1/${user.id}/todos`
  return {
    create: (body: object) =>
      app.request(base, { method: 'POST', body: JSON.stringify(body), headers: { ...user.headers, 'content-type': 'application/json' } }),
    list: (filter: Record<string, string>) => app.request(`${base}?${new URLSearchParams(filter)}`, { headers: user.headers }),
  }
}

/** Creates a todo for each string, and compares the stored text with the sent one. */
async function roundTrip(field: 'title' | 'description' | 'tags', min: number, max: number) {
  const client = await newClient()
  const stored: Todo[] = []
  for (const text of strings) {
    const value = field === 'tags' ? [text] : text
    const response = await client.create({ title: 'x', [field]: value })
    if (!fits(text, min, max)) {
      expect(response.status, JSON.stringify(text)).toBe(422)
      const { errors } = await answer(response, Problem)
      expect(errors?.[0]?.pointer).toBe(field === 'tags' ? '#/tags/0' : `#/${field}`)
      continue
    }
    expect(response.status, JSON.stringify(text)).toBe(201)
    const created = await answer(response, Todo)
    expect(created[field]).toEqual(field === 'tags' ? [text.trim()] : text.trim())
    stored.push(created)
  }
  expect((await answer(await client.list({ sort: 'created', limit: '500' }), TodoPage)).todos).toEqual(stored)
}

describe('naughty strings', () => {
  it('stores or rejects naughty strings as titles', () => roundTrip('title', 1, 255))
  it('stores or rejects naughty strings as descriptions', () => roundTrip('description', 0, 1000))
  it('stores or rejects naughty strings as tags', () => roundTrip('tags', 1, 50))

  it('finds todos by naughty strings as q and as tag', async () => {
    const client = await newClient()
    await client.create({ title: 'innocent' })
    for (const text of strings.filter((text) => fits(text, 1, 50))) await client.create({ title: `>${text}<`, tags: [text] })
    for (const text of strings) {
      for (const [name, min, max] of [
        ['q', 0, 255],
        ['tag', 1, 50],
      ] as const) {
        // A query string cannot carry a lone surrogate: it arrives as U+FFFD.
        const sent = text.toWellFormed()
        const response = await client.list({ [name]: text, limit: '500' })
        expect(response.status, `${name}=${JSON.stringify(text)}`).toBe(fits(sent, min, max) ? 200 : 422)
        if (response.status !== 200 || sent !== text) continue
        const { todos } = await answer(response, TodoPage)
        if (name === 'tag') expect(todos.map(({ tags }) => tags)).toEqual([[text.trim()]])
        else if (length(text) <= 50 && text.trim() !== '') expect(todos.map(({ title }) => title)).toContain(`>${text}<`)
      }
    }
  })
})

describe('limits count code points, as people do', () => {
  it.each([
    ['title', 255],
    ['description', 1000],
  ])('%s: %i', async (field, max) => {
    const client = await newClient()
    for (const character of ['a', 'é', '字', '👍', '\u{10ffff}']) {
      const longest = character.repeat(max)
      const response = await client.create({ title: 'x', [field]: `  ${longest}\n` })
      expect(response.status).toBe(201)
      expect(await answer(response, Todo)).toMatchObject({ [field]: longest })
      expect((await client.create({ title: 'x', [field]: longest + character })).status).toBe(422)
    }
  })

  it('counts code points in the limit of 10 tags with 50 characters', async () => {
    const client = await newClient()
    const tags = Array.from({ length: 10 }, (_, n) => '👍'.repeat(49) + n)
    expect(await answer(await client.create({ title: 'x', tags }), Todo)).toMatchObject({ tags })
    expect((await client.create({ title: 'x', tags: [...tags, 'y'] })).status).toBe(422)
    expect((await client.create({ title: 'x', tags: ['👍'.repeat(51)] })).status).toBe(422)
    expect((await client.create({ title: 'x', tags: ['  '] })).status).toBe(422)
  })
})
