// The cost of any message: other users' requests wait for each uninterrupted piece of its work.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { contextOf, testDeps } from '../../../shared/testing/context.ts'
import { chatApp } from '../app.ts'
import { createChatDeps } from '../deps.ts'
import { ChatState } from '../state.ts'
import { createReader } from './reader.ts'
import { findTargets } from './targets.ts'
import { createTalker } from './testing.ts'

const world = testDeps({ CHAT_MESSAGES_PER_MINUTE: '1000000' })
const deps = createChatDeps(world.env, world.deps)
// Nothing is written, so that each message meets the same todos.
const app = chatApp({ ...deps, verifyToken: async (token) => ({ ...(await deps.verifyToken(token)), readOnly: true }) })
afterAll(() => world.deps.db.close())

/** Milliseconds of CPU in one piece. 50 are meant; a busy machine and the garbage collector get their share. */
const PIECE = 250

/** Runs `work`, and measures the CPU time of this thread between two turns of its event loop. */
async function measure(work: () => Promise<unknown>) {
  const now = () => process.threadCpuUsage().user / 1000
  const start = now()
  let [last, longest, isRunning] = [start, 0, true]
  const look = () => {
    const at = now()
    longest = Math.max(longest, at - last)
    last = at
    if (isRunning) setImmediate(look)
  }
  setImmediate(look)
  await work()
  isRunning = false
  look()
  return { longest, total: now() - start }
}

/** Words that are all one slip away from one another. */
const NEAR = ['abcd', 'abce', 'abcf', 'abdc', 'bacd', 'abcg', 'abch', 'abci', 'zbcd', 'abxx']
const titleOf = (index: number) => Array.from({ length: 49 }, (_, place) => NEAR[(index * 7 + place * 3) % NEAR.length]).join(' ')

/** Only its last word is a slip away from one of those, and no two titles share another. */
const slowTitle = (index: number) =>
  [...Array.from({ length: 48 }, (_, place) => (1296 * 20 + index * 48 + place).toString(36)), 'abcd'].join(' ')

let many: Awaited<ReturnType<typeof createTalker>>
let few: Awaited<ReturnType<typeof createTalker>>
beforeAll(async () => {
  many = await createTalker(
    world,
    app,
    Array.from({ length: 10_000 }, (_, index) => ({ title: titleOf(index) })),
  )
  few = await createTalker(
    world,
    app,
    Array.from({ length: 500 }, (_, index) => ({ title: slowTitle(index) })),
  )
  await few.say('complete unicorn tomorrow and show my tasks')
}, 120_000)

it('answers a message fast that once took twenty seconds', async () => {
  for (const times of [198, 78]) {
    const { longest, total } = await measure(() => few.say(`delete ${'abce '.repeat(times)}`))
    expect(longest).toBeLessThan(PIECE)
    expect(total).toBeLessThan(2_000)
  }
})

const near = fc.oneof(fc.constantFrom(...NEAR), fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'x'), minLength: 3, maxLength: 10 }))
const reference = fc
  .tuple(fc.array(near, { minLength: 1, maxLength: 30 }), fc.constantFrom(' ', ', ', ' and '))
  .map(([words, joint]) => words.join(joint))

it('compares a bounded number of words over 10,000 todos, and not all of them in one piece', async () => {
  await fc.assert(
    fc.asyncProperty(reference, async (text) => {
      const ctx = contextOf(world.deps, many.user)
      const reader = createReader(ctx)
      const moment = { now: new Date(), zone: { name: 'UTC', known: true } }
      const unmask = (part: string) => part
      const search = { ctx, reader, moment, unmask, state: ChatState.parse({}), status: 'pending', every: undefined } as const
      const { longest } = await measure(() => findTargets(search, text))
      expect(reader.comparisons()).toBeLessThanOrEqual(100_000)
      expect(longest).toBeLessThan(PIECE)
    }),
    {
      numRuns: 8,
      examples: [['abxd abcd abce abcf abdc bacd abcg abch abci zbcq'], [NEAR.map((word) => `${word}q`).join(', ')]],
      endOnFailure: true,
    },
  )
}, 240_000)

const VERBS = [
  'delete ',
  'complete ',
  'add ',
  'move ',
  'show ',
  'rename ',
  'tag ',
  'mark ',
  'make ',
  'set ',
  'put ',
  'what ',
  'I have ',
  'tomorrow: ',
  '',
]
const ATOMS = (
  'a| |,|, |. |.|; |1. |1 |#a |#|p1 |!!! |and |to |by |with |due |on |at |in |for |is |is not |done |off |tags |from |name |title |note |priority |' +
  'may |mon |sun |1/2 |10:30 |2027-01-01 |next week |one day |a week |later |tomorrow |every |all |the |my |it |me |please |then |yes, |not |' +
  "\"|“|„|«|`|‘| 'a|'|’|?|!|(|)|-|–|:|\n|\u2028|é|🍕|_|1-100 |first |last |task |list "
).split('|')
const message = fc
  .record({
    verb: fc.constantFrom(...VERBS),
    pump: fc.array(fc.constantFrom(...ATOMS, ...NEAR), { minLength: 1, maxLength: 4 }),
    end: fc.array(fc.constantFrom(...ATOMS), { maxLength: 3 }),
    length: fc.constantFrom(300, 990, 3_900),
  })
  .map(({ verb, pump, end, length }) => {
    const text = pump.join('')
    return (verb + text.repeat(Math.ceil(length / text.length)).slice(0, length) + end.join('')).trim()
  })
  .filter((text) => text !== '')

it('reads a message in short pieces, so that other requests run in between', async () => {
  await fc.assert(
    fc.asyncProperty(message, async (text) => {
      const { longest } = await measure(() => few.say(text))
      expect(longest).toBeLessThan(PIECE)
    }),
    {
      numRuns: 60,
      examples: [
        ['«'.repeat(4_000)],
        [`move ${'every abci'.repeat(29)}10:30 may`],
        ['“two '.repeat(800)],
        [`${'?'.repeat(3_990)}x`],
        [`add ${'a,'.repeat(490)}`],
        [`add ${'them and '.repeat(105)}`],
        [`add ${'mon '.repeat(245)}`],
      ],
      endOnFailure: true,
    },
  )
}, 240_000)

it('asks about 10,000 todos in short pieces of work', async () => {
  const writing = chatApp(deps)
  const { say } = await createTalker(
    world,
    writing,
    Array.from({ length: 10_000 }, (_, index) => ({ title: `Task ${index}` })),
  )
  const asked = await measure(async () => expect((await say('delete everything')).response).toContain('delete 10000 todos'))
  expect(asked.longest).toBeLessThan(PIECE)
  const refused = await measure(async () => expect((await say('no')).response).toContain('nothing was changed'))
  expect(refused.longest).toBeLessThan(PIECE)
}, 120_000)
