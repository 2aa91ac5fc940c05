import { hash as argon2Hash, verify as argon2Verify } from '@node-rs/argon2'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createPasswords } from './passwords.ts'

// Spied on, not mocked: the tests compare the work, because timing is unreliable in a test.
vi.mock('@node-rs/argon2', { spy: true })
beforeEach(() => vi.clearAllMocks())

const parameters = (phc: unknown) => /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[^$]{22}\$[^$]{43}$/.test(String(phc))
const stored = await createPasswords().hash('correct horse')

describe('passwords', () => {
  it('hashes passwords with argon2id, 19 MiB, 2 passes, 1 lane and a fresh salt each', async () => {
    const passwords = createPasswords()
    const [first, second] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')])
    expect([first, second].every(parameters)).toBe(true)
    expect(first).not.toBe(second)
  })

  it('matches a password only with itself: every character counts', async () => {
    const passwords = createPasswords()
    expect(await passwords.verify(stored, 'correct horse')).toBe(true)
    for (const other of ['correct horse ', 'Correct horse', 'correct', '', 'correct horse\0'])
      expect(await passwords.verify(stored, other)).toBe(false)
  })

  it.each([
    ['a wrong password', stored],
    ['no account', undefined],
    ['an account without a password', 'none'],
    ['a hash that was cut', stored.slice(0, 40)],
    ['a hash of another kind', '$2b$10$abcdefghijklmnopqrstuuK7n1vW0PqgE5hSDk5H4vFnQyq0VJ1uW'],
    ['an empty hash', ''],
  ])('cost one comparison for %s, from the first on', async (_case, hash) => {
    expect(await createPasswords().verify(hash, 'a guess')).toBe(false)
    expect(argon2Hash).not.toHaveBeenCalled()
    expect(argon2Verify).toHaveBeenCalledTimes(1)
    const [phc, password] = vi.mocked(argon2Verify).mock.calls[0] ?? []
    expect(parameters(phc)).toBe(true)
    expect(password).toBe('a guess')
    await expect(vi.mocked(argon2Verify).mock.results[0]?.value).resolves.toBe(false)
  })

  it('hashes two passwords at a time and rejects more than 100 waiting ones', async () => {
    let running = 0
    let most = 0
    const { hash } = await vi.importActual<typeof import('@node-rs/argon2')>('@node-rs/argon2')
    vi.mocked(argon2Hash).mockImplementation(async () => {
      most = Math.max(most, ++running)
      await hash('as much work, but less', { memoryCost: 64 })
      running--
      return stored
    })
    const passwords = createPasswords()
    const results = await Promise.allSettled(Array.from({ length: 110 }, () => passwords.hash('a password')))
    vi.mocked(argon2Hash).mockRestore()
    expect(most).toBe(2)
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThanOrEqual(10)
    for (const reason of refused) expect(reason).toMatchObject({ kind: 'unavailable', retryAfter: 2 })
  })
})
