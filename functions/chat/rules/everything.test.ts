// “Everything” is everything: nothing is left out in silence, and every count is the true one.
import { afterAll, describe, expect, it } from 'vitest'
import { testDeps } from '../../../shared/testing/context.ts'
import { chatApp } from '../app.ts'
import { createChatDeps } from '../deps.ts'
import { createTalker, type Row } from './testing.ts'

const world = testDeps()
const deps = createChatDeps(world.env, world.deps)
const app = chatApp(deps)
afterAll(() => world.deps.db.close())

const numbered = (count: number, fields: Omit<Row, 'title'> = {}): Row[] =>
  Array.from({ length: count }, (_, index) => ({ ...fields, title: `Task number ${index + 1}` }))

describe('everything', () => {
  it('asks with the exact number of todos before it deletes them all', async () => {
    const { say, all } = await createTalker(world, app, numbered(620))
    const asked = await say('delete everything')
    expect(asked.response).toMatch(/^This would delete 620 todos: “Task number 1”, .*“Task number 10” and 610 more\./)
    expect(asked.tool_calls).toEqual([])
    expect(await all()).toBe(620)
    const done = await say('yes')
    expect(done.response).toBe(
      'Done: deleted 620 todos: “Task number 1”, “Task number 2”, “Task number 3”, “Task number 4”, “Task number 5”, “Task number 6”, “Task number 7”, “Task number 8”, “Task number 9”, “Task number 10” and 610 more.',
    )
    expect(done.tool_calls).toHaveLength(620)
    expect(await all()).toBe(0)
  })

  it('completes only the open todos, and reports how many', async () => {
    const { say, open, all } = await createTalker(world, app, [...numbered(130), { title: 'Old', completedAt: new Date('2026-01-01') }])
    expect((await say('complete everything')).response).toContain('This would complete 130 todos')
    expect((await say('yes')).response).toContain('Done: completed 130 todos: “Task number 1”, ')
    expect(await open()).toBe(0)
    expect(await all()).toBe(131)
  })

  it('runs only the confirmed calls, not ones for todos added meanwhile', async () => {
    const { say, user, titles } = await createTalker(world, app, numbered(120))
    await say('delete everything')
    await (await world.deps.db.prisma()).todo.create({ data: { id: crypto.randomUUID(), userId: user.id, title: 'New' } })
    await say('yes')
    expect(await titles()).toEqual(['New'])
  })

  it('reports how many calls failed, and why', async () => {
    const { say, rows } = await createTalker(world, app, numbered(120))
    await say('delete everything')
    await (await world.deps.db.prisma()).todo.deleteMany({ where: { id: { in: rows.slice(5, 20).map(({ id }) => id) } } })
    expect((await say('yes')).response).toMatch(
      /^Done: deleted 105 todos: “Task number .* more\. 15 of 120 could not be done: There is no such todo\.$/,
    )
  })

  it('changes every todo that matches', async () => {
    const { say, user } = await createTalker(world, app, numbered(150))
    expect((await say('move all tasks to 2031-05-06')).response).toContain('changed 150 todos')
    const moved = await (await world.deps.db.prisma()).todo.count({ where: { userId: user.id, dueDate: new Date('2031-05-06') } })
    expect(moved).toBe(150)
  })

  it('stops “everything” in time, and reports how many todos are left', async () => {
    let passed = 0
    // Each look at the clock takes a second.
    const clock = () => new Date(Date.now() + 1000 * passed++)
    const { say, all } = await createTalker(world, chatApp({ ...deps, clock }), numbered(420))
    await say('delete everything')
    const { response } = await say('yes')
    const left = await all()
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(420)
    expect(response).toContain(`deleted ${420 - left} todos: `)
    expect(response).toContain(`${left} of 420 are not done yet`)
    expect((await say('delete everything')).response).toContain(`This would delete ${left} todos`)
  })
})

describe('a title among many', () => {
  it('finds a title behind 500 others that share a word with it', async () => {
    const { say } = await createTalker(world, app, numbered(1100))
    expect((await say('complete "Task number 1099"')).response).toBe('Completed “Task number 1099”.')
    expect((await say('complete task number 1055')).response).toBe('Completed “Task number 1055”.')
    expect((await say('complete nubmer 1033')).response).toBe('Completed “Task number 1033”.')
  })

  it('asks about a title with the number of all matches', async () => {
    const { say } = await createTalker(world, app, numbered(600, { tags: ['x'] }))
    const { response } = await say('complete number')
    expect(response).toMatch(/^Which one do you mean\? These are the first 25 of 600: .*\n1\. Task number 1 /)
    expect(response.split('\n')).toHaveLength(26)
  })
})

describe('a list', () => {
  it('is read up to its first page of 500, while a question for the number counts every page', async () => {
    const { say } = await createTalker(world, app, numbered(730))
    const { response } = await say('show my tasks')
    expect(response).toMatch(/^You have 500 or more open todos:\n1\. Task number 1\n/)
    expect(response).toMatch(/\n25\. Task number 25\n… and more\.$/)
    expect((await say('how many tasks do I have?')).response).toBe('You have 730 open todos.')
  })

  it('finds todos completed on a day behind a page of other completed todos', async () => {
    const old = numbered(130, { completedAt: new Date('2026-01-01T12:00:00Z') })
    const { say } = await createTalker(world, app, [...old, { title: 'Fresh', completedAt: new Date() }], 'UTC')
    expect((await say('what did I finish today?')).response).toBe('You have 1 todo completed today:\n1. ✓ Fresh')
  })

  it('keeps the numbers of a list until another list or question is shown', async () => {
    const { say } = await createTalker(world, app, [
      { title: 'A' },
      { title: 'B' },
      { title: 'C' },
      { title: 'write x' },
      { title: 'write y' },
    ])
    await say('show my tasks')
    expect((await say('complete 3')).response).toBe('Completed “C”.')
    expect((await say('how many tasks do I have?')).response).toBe('You have 4 open todos.')
    expect((await say('delete everything')).response).toContain('This would delete 5 todos')
    await say('no')
    expect((await say('complete 2')).response).toBe('Completed “B”.')
    await say('delete write')
    expect((await say('complete 2')).response).toBe('Completed “write y”.')
    expect((await say('complete 5')).response).toContain('The list that I showed last has 2 entries only.')
  })
})

describe('a sentence over a period', () => {
  // A Wednesday.
  const now = new Date('2027-01-13T10:00:00Z')
  const fixed = chatApp({ ...deps, clock: () => now })
  const due = (title: string, date: string): Row => ({ title, dueDate: new Date(`${date}T00:00:00Z`) })
  const todos = [
    due('Today', '2027-01-13'),
    due('Friday', '2027-01-15'),
    due('Next week', '2027-01-19'),
    { title: 'Done', completedAt: new Date('2027-01-12T10:00:00Z') },
  ]

  it.each([
    ['what is due this week?', 'You have 2 todos due this week:'],
    ['what is due next week?', 'You have 1 todo due next week:'],
    ['what is due today?', 'You have 1 todo due today:'],
    ['what is due tomorrow?', 'You have no todos due tomorrow.'],
    ['how many are due today or tomorrow', 'You have 1 todo due today and tomorrow.'],
    ['what is due on friday', 'You have 1 todo due on Fri, 15 Jan 2027:'],
    ['tasks due before saturday', 'You have 2 todos due before Sat, 16 Jan 2027:'],
    ['tasks due by friday', 'You have 2 todos due by Fri, 15 Jan 2027:'],
    ['tasks due after friday', 'You have 1 todo due after Fri, 15 Jan 2027:'],
    ['anything for the weekend?', 'You have no todos due this weekend.'],
    ['what is due in the next 7 days', 'You have 3 todos due in the next 7 days:'],
    ['how many open tasks are due this week', 'You have 2 open todos due this week.'],
    ['what did I finish yesterday?', 'You have 1 todo completed yesterday:'],
    ['what did I finish this week?', 'You have 1 todo completed this week:'],
    ['what did I finish today?', 'You have no todos completed today.'],
    ['how many tasks are due this week with high priority', 'You have no todos due this week with high priority.'],
  ])('answers “%s” with the period', async (question, first) => {
    const { say } = await createTalker(world, fixed, todos)
    expect((await say(question)).response.split('\n')[0]).toBe(first)
  })
})
