import { describe, expect, it } from 'vitest'
import { createUserLanes } from './user-lanes.ts'

describe('user lanes', () => {
  it('lets a user run as many requests as the limit allows, and makes the next wait for one to end', async () => {
    const lanes = createUserLanes({ running: 2, waiting: 1 })
    const first = await lanes.enter('ada')
    await lanes.enter('ada')
    let entered = false
    const third = lanes.enter('ada').then((leave) => {
      entered = true
      return leave
    })
    await Promise.resolve()
    expect(entered).toBe(false)
    first()
    await third
    expect(entered).toBe(true)
  })

  it('refuses a request with 429 and Retry-After when the queue of its user is full', async () => {
    const lanes = createUserLanes({ running: 1, waiting: 1 })
    await lanes.enter('ada')
    void lanes.enter('ada')
    await expect(lanes.enter('ada')).rejects.toMatchObject({ kind: 'throttled', retryAfter: 1 })
  })

  it('never makes one user wait for another', async () => {
    const lanes = createUserLanes({ running: 1, waiting: 0 })
    await lanes.enter('ada')
    await expect(lanes.enter('grace')).resolves.toBeTypeOf('function')
  })

  it('runs waiting requests in the order in which they came', async () => {
    const lanes = createUserLanes({ running: 1, waiting: 3 })
    const order: number[] = []
    const leave = await lanes.enter('ada')
    const waiting = [1, 2, 3].map((n) =>
      lanes.enter('ada').then((done) => {
        order.push(n)
        done()
      }),
    )
    leave()
    await Promise.all(waiting)
    expect(order).toEqual([1, 2, 3])
  })

  it('frees the place of a waiting request whose client went away', async () => {
    const lanes = createUserLanes({ running: 1, waiting: 1 })
    const leave = await lanes.enter('ada')
    const client = new AbortController()
    const waiting = lanes.enter('ada', client.signal)
    client.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    const next = lanes.enter('ada')
    leave()
    await expect(next).resolves.toBeTypeOf('function')
  })

  it('frees one slot only, however often a request says that it has ended', async () => {
    const lanes = createUserLanes({ running: 1, waiting: 1 })
    const leave = await lanes.enter('ada')
    const second = lanes.enter('ada')
    leave()
    leave()
    await second
    await expect(Promise.race([lanes.enter('ada').then(() => 'entered'), Promise.resolve('waits')])).resolves.toBe('waits')
  })
})
