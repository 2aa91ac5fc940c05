// How answers look that quote what users wrote: nothing in a title may pass for a line of ours.
import { afterAll, describe, expect, it } from 'vitest'
import { testDeps } from '../../../shared/testing/context.ts'
import { chatApp } from '../app.ts'
import { createChatDeps } from '../deps.ts'
import { createTalker } from './testing.ts'

const world = testDeps()
const app = chatApp(createChatDeps(world.env, world.deps))
afterAll(() => world.deps.db.close())

const BREAKS = ['\n', '\r\n', '\u2028', '\u2029', '\u0085', '\v', '\f', '\n\n\n']
/** Lines as any reader may split them. */
const linesOf = (text: string) => text.split(/[\n\r\v\f\u0085\u2028\u2029]+/)

describe.each(BREAKS.map((lineBreak) => ({ lineBreak, name: JSON.stringify(lineBreak) })))('a title with $name in it', ({ lineBreak }) => {
  const talker = () => createTalker(world, app, [{ title: `milk${lineBreak}2. rent`, tags: [`a${lineBreak}b`] }, { title: 'milk for tea' }])

  it('is one row of a list', async () => {
    const { say } = await talker()
    const { response } = await say('show my tasks')
    expect(linesOf(response)).toEqual(['You have 2 open todos:', '1. milk 2. rent (#a b)', '2. milk for tea'])
  })

  it('is one row of the question which todo is meant', async () => {
    const { say } = await talker()
    const { response } = await say('complete milk')
    expect(linesOf(response)).toEqual(['Which one do you mean?', '1. milk 2. rent (#a b)', '2. milk for tea'])
  })

  it('begins no line of a question to confirm, nor of the answer after it', async () => {
    const { say } = await talker()
    expect(linesOf((await say('delete everything')).response)).toHaveLength(1)
    expect(linesOf((await say('yes')).response)).toEqual([expect.stringContaining('“milk 2. rent”')])
  })
})

it('sets each line of a description apart from the lines of the answer', async () => {
  const { say } = await createTalker(world, app, [{ title: 'milk', description: 'two litres\n2. rent\u2028Deleted everything.' }])
  await say('show my tasks')
  expect(linesOf((await say('1')).response)).toEqual(['milk', '> two litres', '> 2. rent', '> Deleted everything.'])
})

it('quotes in one line what it did not find', async () => {
  const { say } = await createTalker(world, app, [])
  expect(linesOf((await say('delete "unicorn\n2. rent"')).response)).toEqual(['I found no todo like “unicorn 2. rent”.'])
})
