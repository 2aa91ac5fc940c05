import { createHash, randomUUID } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { AppError } from '../../shared/core/errors.ts'
import { testDeps } from '../../shared/testing/context.ts'
import { newMigratedDatabase } from '../../shared/testing/sink.ts'
import { createThrottle } from './throttle.ts'

// A database of its own: with clocks ahead of the real one, the sweep would delete counters of other tests.
const { deps } = testDeps({ DATABASE_URL: await newMigratedDatabase() })
afterAll(() => deps.db.close())

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const SECRET = Buffer.from('a secret of the tests, of 32 bytes')
const throttleAt = (clock: () => Date) => createThrottle(deps.db, clock, SECRET)
const throttle = throttleAt(deps.clock)
/** A unique address with fresh counters: a throttle accepts any text as an address. */
const someone = () => ({ address: `address ${randomUUID()}`, email: `${randomUUID()}@example.com` })
const wrong = async () => {
  throw new AppError('unauthenticated', 'wrong')
}
const right = async () => 'a session'

/** Runs `count` concurrent attempts: returns how many ran and how many were throttled. */
async function burst(count: number, attempt: (index: number) => Promise<unknown>) {
  const results = await Promise.allSettled(Array.from({ length: count }, (_, index) => attempt(index)))
  const kinds = results.map((result) => (result.status === 'rejected' ? result.reason.kind : 'passed'))
  return { throttled: kinds.filter((kind) => kind === 'throttled').length, made: kinds.filter((kind) => kind !== 'throttled').length }
}

describe('failed logins', () => {
  it('lets exactly 10 of many concurrent wrong passwords through for one address and one account', async () => {
    const { address, email } = someone()
    expect(await burst(60, () => throttle.login({ address, email }, wrong))).toEqual({ made: 10, throttled: 50 })
  })

  it('lets exactly 100 failed logins through for one address and many accounts', async () => {
    const { address } = someone()
    expect(await burst(130, (n) => throttle.login({ address, email: `${n} ${address}` }, wrong))).toEqual({ made: 100, throttled: 30 })
  })

  it('lets exactly 200 failed logins through for many addresses and one account', async () => {
    const { email } = someone()
    expect(await burst(230, (n) => throttle.login({ address: `${n} ${email}`, email }, wrong))).toEqual({ made: 200, throttled: 30 })
  })

  it('answers a throttled login with the seconds to wait, and accepts one after that time', async () => {
    const { address, email } = someone()
    let now = Date.now()
    const clocked = throttleAt(() => new Date(now))
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

describe('an address that has signed in to the account', () => {
  /** Sends wrong passwords from so many addresses that the account's own limit is used up. */
  const attack = (email: string, on = throttle) => burst(230, (n) => on.login({ address: `${n} ${email}`, email }, wrong))

  it('lets a known address log in while wrong passwords from 230 other addresses lock the account', async () => {
    const { address, email } = someone()
    await throttle.login({ address, email }, right)
    await attack(email)
    await expect(throttle.login({ address: someone().address, email }, right)).rejects.toMatchObject({ kind: 'throttled' })
    expect(await throttle.login({ address, email }, right)).toBe('a session')
  })

  it('lets a known address log in while other users behind it use up the limit of the address', async () => {
    const { address, email } = someone()
    await throttle.login({ address, email }, right)
    await burst(130, (n) => throttle.login({ address, email: `${n} ${address}` }, wrong))
    await expect(throttle.login({ address, email: someone().email }, right)).rejects.toMatchObject({ kind: 'throttled' })
    expect(await throttle.login({ address, email }, right)).toBe('a session')
  })

  it('lets exactly 10 of many concurrent wrong passwords of a known address through over two replicas, during an attack too', async () => {
    const { address, email } = someone()
    const replicas = [throttleAt(deps.clock), throttleAt(deps.clock)]
    await throttle.login({ address, email }, right)
    await attack(email)
    expect(await burst(60, async (n) => replicas[n % 2]?.login({ address, email }, wrong))).toEqual({ made: 10, throttled: 50 })
  })

  it('locks a known address for its own 15 minutes, not for the hour of the account', async () => {
    const { address, email } = someone()
    await throttle.login({ address, email }, right)
    await attack(email)
    await burst(10, () => throttle.login({ address, email }, wrong))
    const refusal = await throttle.login({ address, email }, right).catch((error: AppError) => error.retryAfter)
    expect(refusal).toBeGreaterThan(800)
    expect(refusal).toBeLessThanOrEqual(900)
  })

  it('does not spend the limit of the account for failures of a known address', async () => {
    const { address, email } = someone()
    await throttle.login({ address, email }, right)
    await burst(10, () => throttle.login({ address, email }, wrong))
    expect(await attack(email)).toEqual({ made: 200, throttled: 30 })
  })

  it('treats an address as known only for the account that it logged in to', async () => {
    const { address, email } = someone()
    const { email: another } = someone()
    await throttle.login({ address, email }, right)
    await attack(another)
    await expect(throttle.login({ address, email: another }, right)).rejects.toMatchObject({ kind: 'throttled' })
  })

  it('does not mark an address as known after a wrong password or another failure', async () => {
    const { address, email } = someone()
    await expect(throttle.login({ address, email }, wrong)).rejects.toThrow('wrong')
    await expect(throttle.login({ address, email }, () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    await attack(email)
    await expect(throttle.login({ address, email }, right)).rejects.toMatchObject({ kind: 'throttled' })
  })

  it('forgets a known address 30 days after its last login', async () => {
    const { address, email } = someone()
    let now = Date.now()
    const clocked = throttleAt(() => new Date(now))
    await clocked.login({ address, email }, right)
    now += 29 * DAY
    await attack(email, clocked)
    expect(await clocked.login({ address, email }, right)).toBe('a session')
    now += 29 * DAY
    await attack(email, clocked)
    expect(await clocked.login({ address, email }, right)).toBe('a session')
    now += 30 * DAY + 1
    await attack(email, clocked)
    await expect(clocked.login({ address, email }, right)).rejects.toMatchObject({ kind: 'throttled' })
  })
})

describe('an attempt that does not count', () => {
  it('does not count a successful login, even between failed ones', async () => {
    const { address, email } = someone()
    for (let round = 0; round < 30; round++) await throttle.login({ address, email }, right)
    expect(await burst(12, () => throttle.login({ address, email }, wrong))).toEqual({ made: 10, throttled: 2 })
  })

  it('does not count an attempt that compared no passwords', async () => {
    const { address, email } = someone()
    const away = async () => {
      throw new AppError('unavailable', 'away')
    }
    for (let round = 0; round < 15; round++)
      await expect(throttle.login({ address, email }, away)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await throttle.login({ address, email }, right)).toBe('a session')
  })

  it('does not count throttled attempts: hammering one account from one address locks out neither its owner nor other users of the address', async () => {
    const { address, email } = someone()
    for (let round = 0; round < 5; round++) await burst(60, () => throttle.login({ address, email }, wrong))
    expect(await throttle.login({ address: someone().address, email }, right)).toBe('a session')
    expect(await throttle.login({ address, email: someone().email }, right)).toBe('a session')
  })

  it('does not refund an attempt into the next window', async () => {
    const { address, email } = someone()
    let now = Date.now()
    const clocked = throttleAt(() => new Date(now))
    // The login begins in one window and succeeds in the next, which has its own failure by then.
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

it('deletes expired counters', async () => {
  const key = `ended ${randomUUID()}`
  await (await deps.db.prisma()).throttle.create({ data: { key, points: 1, expire: Date.now() - 1 } })
  await throttleAt(deps.clock).register(someone())
  expect(await (await deps.db.prisma()).throttle.findUnique({ where: { key } })).toBeNull()
})

it('stores no address, no email, and no digest that can be computed without the secret', async () => {
  const { address, email } = someone()
  await expect(throttle.login({ address, email }, wrong)).rejects.toThrow('wrong')
  await throttle.login({ address, email }, right)
  const keys = (await (await deps.db.prisma()).throttle.findMany()).map(({ key }) => key).join(' ')
  for (const text of [address, email, `${address} ${email}`]) {
    expect(keys).not.toContain(text)
    expect(keys).not.toContain(createHash('sha256').update(text).digest('base64url'))
  }
})
