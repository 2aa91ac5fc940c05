import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createSearchLane } from './search-lane.ts'

/** A lane whose searches run until they are ended. */
function scene(places: number) {
  const lane = createSearchLane(places)
  const running: { userId: string; end: (error?: Error) => void }[] = []
  const start = (userId: string) =>
    new Promise<string>((resolve, reject) => {
      const end = (error?: Error) => {
        running.splice(running.indexOf(one), 1)
        if (error) reject(error)
        else resolve(userId)
      }
      const one = { userId, end }
      running.push(one)
    })
  const search = (userId: string) => lane.run(userId, () => start(userId))
  const users = async () => {
    await turn()
    return running.map(({ userId }) => userId)
  }
  return { search, users, running }
}

describe('the lane for searches', () => {
  it('runs one search of a user at a time, in the order they came', async () => {
    const { search, users, running } = scene(2)
    const all = Array.from({ length: 8 }, () => search('ada'))
    for (const each of all) {
      expect(await users()).toEqual(['ada'])
      running[0]?.end()
      expect(await each).toBe('ada')
    }
    expect(await users()).toEqual([])
  })

  it('lets another user pass a user who waits for their own search', async () => {
    const { search, users } = scene(2)
    for (let n = 0; n < 8; n++) search('ada')
    search('bob')
    search('eve')
    expect(await users()).toEqual(['ada', 'bob'])
  })

  it('runs no more than it has places, and gives a place back when a search fails', async () => {
    const { search, users, running } = scene(2)
    const [first] = [search('ada'), search('bob'), search('eve')]
    expect(await users()).toEqual(['ada', 'bob'])
    running[0]?.end(new Error('cut'))
    await expect(first).rejects.toThrow('cut')
    expect(await users()).toEqual(['bob', 'eve'])
  })
})
