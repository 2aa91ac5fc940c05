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

/** The places of one process. */
export type Admission = {
  /** Whether a request that came now could not begin in time. */
  isFull(): boolean
  /**
   * Takes a place: at once (`true`), or after a wait. The wait ends with `false` when the request could not begin in time. Each place
   * that was taken is given back by one call of `leave`.
   */
  enter(): true | Promise<boolean>
  leave(): void
}

const LIMITS = {
  /** Requests that wait at the most, however fast the process is: each holds some kilobytes. */
  waiting: 1_000,
  /** What the latest interval counts in the moving average of intervals. */
  weight: 0.05,
  /** Share of its time that a newcomer may be expected to wait: the estimate lags behind a process that slows down. */
  expected: 0.5,
  /** Milliseconds after which a request counts no more: what runs for so long waits for something else than this process. */
  holdMs: 1_000,
}

type Waiting = { since: number; resolve: (admitted: boolean) => void }

/**
 * First come, first served. While requests wait, the average interval in which places become free says how long a newcomer would wait;
 * when that is more than half of `waitMs`, the newcomer is refused at once. So a burst may wait, and a lasting overload is refused early.
 */
export function createAdmission({ running: most, waitMs }: AdmissionLimits): Admission {
  const queue = new Set<Waiting>()
  let running = 0
  /** Milliseconds between two places that become free, since the queue was last empty. */
  let interval = 0
  let freed = 0
  let timer: NodeJS.Timeout | undefined

  /** Refuses those that have waited too long: they stand at the head. */
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
 * The place of one request that was let in. It is free after a second at the latest, so that answers of a language model, streams and a
 * database that hangs do not shut the process.
 */
export class Slot {
  readonly #admission: Admission
  #held = false
  #timer: NodeJS.Timeout | undefined

  constructor(admission: Admission) {
    this.#admission = admission
    this.#hold()
  }

  /** Gives the place back. Idempotent. */
  leave(): void {
    if (!this.#held) return
    this.#held = false
    clearTimeout(this.#timer)
    this.#admission.leave()
  }

  /**
   * Waits for something that is not this process, such as a client that is slow to send, and leaves the place to others meanwhile.
   * `undo` is called with the result when the request cannot go on.
   * @throws AppError `unavailable` when there is no place again in time; whatever `wait` rejects with
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

/** Remembers the place of the request that an app is called with `env` for. */
export function keepSlot(env: object, slot: Slot): void {
  slots.set(env, slot)
}

/** The request's place, or one that nothing limits. */
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
