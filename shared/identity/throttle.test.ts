import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { AppError } from '../errors.ts'
import { testDeps } from '../testing.ts'
import { makeThrottle } from './throttle.ts'

const { deps } = testDeps()
afterAll(() => deps.db.$disconnect())

const MINUTE = 60_000
const throttle = makeThrottle(deps.db, deps.clock)
/** Nobody else's counters: a throttle takes any text for an address. */
const someone = () => ({ address: `address ${randomUUID()}`, email: `${randomUUID()}@example.com` })
const wrong = async () => {
  throw new AppError('unauthenticated', 'wrong')
}
const right = async () => 'a session'

/** What became of `count` tries at once: how many were made, and how many were throttled. */
async function burst(count: number, attempt: (index: number) => Promise<unknown>) {
  const results = await Promise.allSettled(Array.from({ length: count }, (_, index) => attempt(index)))
  const kinds = results.map((result) => (result.status === 'rejected' ? result.reason.kind : 'passed'))
  return { throttled: kinds.filter((kind) => kind === 'throttled').length, made: kinds.filter((kind) => kind !== 'throttled').length }
}

describe('failed logins', () => {
  it('of one address at one account: exactly 10 of many at once are made', async () => {
    const { address, email } = someone()
    expect(await burst(60, () => throttle.login({ address, email }, wrong))).toEqual({ made: 10, throttled: 50 })
  })

  it('of one address at many accounts: exactly 100 are made', async () => {
    const { address } = someone()
    expect(await burst(130, (n) => throttle.login({ address, email: `${n} ${address}` }, wrong))).toEqual({ made: 100, throttled: 30 })
  })

  it('of many addresses at one account: exactly 200 are made', async () => {
    const { email } = someone()
    expect(await burst(230, (n) => throttle.login({ address: `${n} ${email}`, email }, wrong))).toEqual({ made: 200, throttled: 30 })
  })

  it('say how long to wait, and are forgotten after that', async () => {
    const { address, email } = someone()
    let now = Date.now()
    const clocked = makeThrottle(deps.db, () => new Date(now))
    await burst(10, () => clocked.login({ address, email }, wrong))
    now += 5 * MINUTE + 200
    await expect(clocked.login({ address, email }, right)).rejects.toMatchObject({
      kind: 'throttled',
      retryAfter: 600,
      message: 'Too many attempts. Please try again in 10 minutes.',
    })
    now += 10 * MINUTE
    expect(await clocked.login({ address, email }, right)).toBe('a session')
    expect(await burst(12, () => clocked.login({ address, email }, wrong))).toEqual({ made: 10, throttled: 2 })
  })
})

describe('what does not count', () => {
  it('is a login that succeeds, even among ones that fail', async () => {
    const { address, email } = someone()
    for (let round = 0; round < 30; round++) await throttle.login({ address, email }, right)
    expect(await burst(12, () => throttle.login({ address, email }, wrong))).toEqual({ made: 10, throttled: 2 })
  })

  it('is a try that never got to compare passwords', async () => {
    const { address, email } = someone()
    const away = async () => {
      throw new AppError('unavailable', 'away')
    }
    for (let round = 0; round < 15; round++)
      await expect(throttle.login({ address, email }, away)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await throttle.login({ address, email }, right)).toBe('a session')
  })

  it('is a refused try: hammering one account from one address neither locks its owner out nor the neighbours', async () => {
    const { address, email } = someone()
    for (let round = 0; round < 5; round++) await burst(60, () => throttle.login({ address, email }, wrong))
    expect(await throttle.login({ address: someone().address, email }, right)).toBe('a session')
    expect(await throttle.login({ address, email: someone().email }, right)).toBe('a session')
  })

  it('is what was given back after its window had ended', async () => {
    const { address, email } = someone()
    let now = Date.now()
    const clocked = makeThrottle(deps.db, () => new Date(now))
    // It begins in one window and succeeds in the next, which has a failure of its own by then.
    await clocked.login({ address, email }, async () => {
      now += 16 * MINUTE
      await expect(clocked.login({ address, email }, wrong)).rejects.toThrow('wrong')
    })
    expect(await burst(12, () => clocked.login({ address, email }, wrong))).toEqual({ made: 9, throttled: 3 })
  })
})

it('lets exactly 50 registrations of an address pass', async () => {
  const { address } = someone()
  expect(await burst(70, () => throttle.register({ address }))).toEqual({ made: 50, throttled: 20 })
  await throttle.register(someone())
})

it('clears away what has ended', async () => {
  const key = `ended ${randomUUID()}`
  await deps.db.throttle.create({ data: { key, points: 1, expire: Date.now() - 1 } })
  await makeThrottle(deps.db, deps.clock).register(someone())
  expect(await deps.db.throttle.findUnique({ where: { key } })).toBeNull()
})

it('keeps no address and no email', async () => {
  const { address, email } = someone()
  await expect(throttle.login({ address, email }, wrong)).rejects.toThrow('wrong')
  const keys = (await deps.db.throttle.findMany()).map(({ key }) => key).join(' ')
  expect(keys).not.toContain(address)
  expect(keys).not.toContain(email)
})
