// Bounded admission: how many requests a process works on at once, and how many wait. Overload then costs the requests that cannot begin
// in time a refusal, instead of costing every request its answer.
import type { Context } from 'hono'
import { AppError } from '../core/errors.ts'

export type AdmissionLimits = {
  /** Requests that run at the same time. */
  running: number
  /** Milliseconds that a request may wait before it runs. */
  waitMs: number
}

/** The slots of one process. */
export type Admission = {
  /** Whether a new request could not start in time. */
  isFull(): boolean
  /**
   * Takes a slot: at once (`true`), or after a wait. The wait ends with `false` when the request could not start in time. Call `leave`
   * once for each slot.
   */
  enter(): true | Promise<boolean>
  leave(): void
}

const LIMITS = {
  /** The longest queue, however fast the process is: each request holds some kilobytes. */
  waiting: 1_000,
  /** The weight of the latest interval in the moving average. */
  weight: 0.05,
  /** The part of `waitMs` that a new request may be expected to wait: the estimate lags behind a process that slows down. */
  expected: 0.5,
  /** A request that runs longer waits for another system rather than for this process, and gives up its slot. */
  holdMs: 1_000,
}

type Waiting = { since: number; resolve: (admitted: boolean) => void }

/**
 * First come, first served. While requests wait, the average interval in which places become free predicts the wait of a new request;
 * above half of `waitMs` the request is rejected at once. So a burst may wait, and a lasting overload is refused early.
 */
export function createAdmission({ running: most, waitMs }: AdmissionLimits): Admission {
  const queue = new Set<Waiting>()
  let running = 0
  /** Milliseconds between two freed slots, averaged since the queue was last empty. */
  let interval = 0
  let freed = 0
  let timer: NodeJS.Timeout | undefined

  /** Rejects requests that have waited too long; the oldest are at the head of the queue. */
  function expire(now: number): void {
    for (const waiting of queue) {
      if (now - waiting.since < waitMs) return
      queue.delete(waiting)
      waiting.resolve(false)
    }
  }

  function watch(ms: number): void {
    timer = setTimeout(() => {
      timer = undefined
      const now = performance.now()
      expire(now)
      const [head] = queue
      if (head) watch(head.since + waitMs - now)
    }, ms).unref()
  }

  const isFull = () => running >= most && (queue.size >= LIMITS.waiting || queue.size * interval > waitMs * LIMITS.expected)

  return {
    isFull,
    enter() {
      if (running < most) {
        running += 1
        return true
      }
      if (isFull()) return Promise.resolve(false)
      const now = performance.now()
      if (queue.size === 0) freed = now
      if (!timer) watch(waitMs)
      return new Promise((resolve) => {
        queue.add({ since: now, resolve })
      })
    },
    leave() {
      const now = performance.now()
      expire(now)
      const [next] = queue
      if (!next) {
        running -= 1
        interval = 0
        return
      }
      interval += (now - freed - interval) * LIMITS.weight
      freed = now
      queue.delete(next)
      next.resolve(true)
    },
  }
}

/**
 * The slot of one admitted request. It is released after a second at the latest, so that language models, streams and a hanging
 * database do not block the process.
 */
export class Slot {
  readonly #admission: Admission
  #held = false
  #timer: NodeJS.Timeout | undefined

  constructor(admission: Admission) {
    this.#admission = admission
    this.#hold()
  }

  /** Releases the slot. Idempotent. */
  leave(): void {
    if (!this.#held) return
    this.#held = false
    clearTimeout(this.#timer)
    this.#admission.leave()
  }

  /**
   * Waits for something outside of this process, such as a slow client, and releases the slot meanwhile. `undo` is called with the result
   * when the request cannot go on.
   * @throws AppError `unavailable` when no slot is free in time; the reason of `wait` when it rejects
   */
  async aside<T>(wait: Promise<T>, undo?: (result: T) => void): Promise<T> {
    if (!this.#held) return wait
    this.leave()
    const result = await wait
    if (await this.#admission.enter()) {
      this.#hold()
      return result
    }
    undo?.(result)
    throw overloaded()
  }

  #hold(): void {
    this.#held = true
    this.#timer = setTimeout(() => this.leave(), LIMITS.holdMs).unref()
  }
}

const slots = new WeakMap<object, Slot>()

/** Associates the slot with the `env` that the app is called with. */
export function keepSlot(env: object, slot: Slot): void {
  slots.set(env, slot)
}

/** The request's slot; an unlimited one for a request without admission. */
export function slotOf({ env }: Pick<Context, 'env'>): Slot {
  return slots.get(env ?? {}) ?? new Slot(UNLIMITED)
}

const UNLIMITED: Admission = { isFull: () => false, enter: () => true, leave: () => {} }

/** Seconds. A queue lasts less than one. */
const RETRY_AFTER = 1

export const overloaded = () =>
  new AppError('unavailable', 'There are more requests at the moment than can be answered in time. Please try again in a moment.', {
    retryAfter: RETRY_AFTER,
  })
