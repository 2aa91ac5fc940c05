import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { testDeps } from '../testing/context.ts'
import { newMigratedDatabase } from '../testing/sink.ts'
import { createUserRate } from './user-rates.ts'

const { deps } = testDeps({ DATABASE_URL: await newMigratedDatabase() })
afterAll(() => deps.db.close())

const rateOf = (clock = deps.clock) => createUserRate({ db: deps.db, clock }, { name: 'test', perMinute: 5, what: 'tests' })
const burst = async (count: number, act: () => Promise<void>) =>
  (await Promise.allSettled(Array.from({ length: count }, act))).filter(({ status }) => status === 'fulfilled').length

describe('a rate a user', () => {
  it('lets exactly as many of 50 acts at once pass as the minute has, over all replicas', async () => {
    const user = randomUUID()
    const replicas = [rateOf(), rateOf()]
    let turn = 0
    expect(await burst(50, async () => replicas[turn++ % 2]?.(user))).toBe(5)
  })

  it('says the limit and how long to wait, and counts anew after that', async () => {
    const user = randomUUID()
    let now = Date.now()
    const rate = rateOf(() => new Date(now))
    expect(await burst(5, () => rate(user))).toBe(5)
    now += 20_000
    await expect(rate(user)).rejects.toMatchObject({
      kind: 'throttled',
      retryAfter: 40,
      message: 'You may have 5 tests a minute. Please try again in 40 seconds.',
    })
    now += 40_000
    expect(await burst(9, () => rate(user))).toBe(5)
  })

  it('does not count acts of other users', async () => {
    const rate = rateOf()
    expect(await burst(5, () => rate(randomUUID()))).toBe(5)
    expect(await burst(5, () => rate(randomUUID()))).toBe(5)
  })
})
