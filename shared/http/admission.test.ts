// Which requests may run, wait, or are refused. Time is simulated.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createAdmission, Slot } from './admission.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** Enters `count` times; the answers come as they are given. */
function enter(admission: ReturnType<typeof createAdmission>, count: number) {
  const answers: (boolean | undefined)[] = Array(count).fill(undefined)
  for (let index = 0; index < count; index++) {
    const admitted = admission.enter()
    if (admitted === true) answers[index] = true
    else
      admitted.then((value) => {
        answers[index] = value
      })
  }
  return answers
}
const settle = () => vi.advanceTimersByTimeAsync(0)

it('runs as many requests as the limit allows, and the others in the order in which they came', async () => {
  const admission = createAdmission({ running: 2, waitMs: 500 })
  const answers = enter(admission, 4)
  expect(answers).toEqual([true, true, undefined, undefined])
  admission.leave()
  await settle()
  expect(answers).toEqual([true, true, true, undefined])
  admission.leave()
  await settle()
  expect(answers).toEqual([true, true, true, true])
})

it('refuses a request that has waited as long as it may, and no other', async () => {
  const admission = createAdmission({ running: 1, waitMs: 500 })
  const early = enter(admission, 2)
  await vi.advanceTimersByTimeAsync(300)
  const late = enter(admission, 1)
  await vi.advanceTimersByTimeAsync(200)
  expect([early, late]).toEqual([[true, false], [undefined]])
  await vi.advanceTimersByTimeAsync(300)
  expect(late).toEqual([false])
})

it('never lets a request run that has waited too long, even when the timer is late', async () => {
  const admission = createAdmission({ running: 1, waitMs: 500 })
  const answers = enter(admission, 2)
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 600)
  admission.leave()
  await settle()
  expect(answers).toEqual([true, false])
})

it('lets a burst wait, and refuses at once what could not run in time at the pace at which places become free', async () => {
  const admission = createAdmission({ running: 10, waitMs: 500 })
  enter(admission, 110)
  expect(admission.isFull()).toBe(false)
  // Each slot is free again after 10 ms, so 100 waiting requests take a second.
  for (let count = 0; count < 40; count++) {
    await vi.advanceTimersByTimeAsync(10)
    admission.leave()
  }
  expect(admission.isFull()).toBe(true)
  expect(await admission.enter()).toBe(false)
  for (let count = 0; count < 10; count++) {
    await vi.advanceTimersByTimeAsync(10)
    admission.leave()
  }
  // What waits is less than half a second's work now.
  expect(admission.isFull()).toBe(false)
})

it('forgets the pace when nothing waits any more', async () => {
  const admission = createAdmission({ running: 1, waitMs: 500 })
  enter(admission, 2)
  await vi.advanceTimersByTimeAsync(400)
  admission.leave()
  admission.leave()
  enter(admission, 900)
  expect(admission.isFull()).toBe(false)
})

it('lets 1,000 requests wait at the most', () => {
  const admission = createAdmission({ running: 1, waitMs: 500 })
  enter(admission, 1_001)
  expect(admission.isFull()).toBe(true)
})

it('frees the place of a request that steps aside, and takes one again before it goes on', async () => {
  const admission = createAdmission({ running: 1, waitMs: 500 })
  enter(admission, 1)
  const slot = new Slot(admission)
  const body = Promise.withResolvers<string>()
  let read = ''
  slot.aside(body.promise).then((text) => {
    read = text
  })
  const others = enter(admission, 1)
  expect(others).toEqual([true])
  body.resolve('all of it')
  await settle()
  expect(read).toBe('')
  admission.leave()
  await settle()
  expect(read).toBe('all of it')
  expect(admission.enter()).toBeInstanceOf(Promise)
})

it('refuses a request that stepped aside and finds no place again in time, and undoes what it had waited for', async () => {
  const admission = createAdmission({ running: 1, waitMs: 500 })
  enter(admission, 1)
  const slot = new Slot(admission)
  const undo = vi.fn()
  const back = expect(slot.aside(Promise.resolve('result'), undo)).rejects.toMatchObject({ kind: 'unavailable', retryAfter: 1 })
  enter(admission, 1)
  await vi.advanceTimersByTimeAsync(500)
  await back
  expect(undo).toHaveBeenCalledExactlyOnceWith('result')
  slot.leave()
  // The place of the other is still taken.
  expect(admission.enter()).toBeInstanceOf(Promise)
})

it('counts a request for a second, however long it runs, and gives its place back once', async () => {
  const admission = createAdmission({ running: 1, waitMs: 2_000 })
  enter(admission, 1)
  const slot = new Slot(admission)
  const waiting = enter(admission, 2)
  await vi.advanceTimersByTimeAsync(999)
  expect(waiting).toEqual([undefined, undefined])
  await vi.advanceTimersByTimeAsync(1)
  expect(waiting).toEqual([true, undefined])
  slot.leave()
  await settle()
  expect(waiting).toEqual([true, undefined])
})
