// Fairness between users of one process: each user has a bounded number of requests that run and that wait, so one user cannot take the
// process away from the others.
import { AppError } from '../core/errors.ts'

export type LaneLimits = {
  /** Requests of one user that run at the same time. */
  running: number
  /** Requests of one user that wait for one of those to end; one more is refused. */
  waiting: number
}

export type UserLanes = {
  /**
   * Waits until a request of this user may run. Call the returned function exactly once, when the request has ended; later calls are no-ops.
   * An aborted `signal` gives the place in the queue up.
   * @throws AppError `throttled` when `waiting` requests wait already; the signal's reason when it aborts first
   */
  enter(userId: string, signal?: AbortSignal): Promise<() => void>
  /** Whether the next request of this user would have to wait. */
  isFull(userId: string): boolean
}

type Lane = { running: number; queue: Set<() => void> }

/** Seconds after which a refused request may be repeated: most requests take milliseconds. */
const RETRY_AFTER_SECONDS = 1

/** Lanes kept in the memory of this process: replicas count separately. */
export function createUserLanes({ running, waiting }: LaneLimits): UserLanes {
  const lanes = new Map<string, Lane>()

  function leave(userId: string, lane: Lane): void {
    const [next] = lane.queue
    // The slot passes straight to the request that has waited longest.
    if (next) next()
    else lane.running -= 1
    if (lane.running === 0) lanes.delete(userId)
  }

  return {
    isFull: (userId) => (lanes.get(userId)?.running ?? 0) >= running,
    async enter(userId, signal) {
      signal?.throwIfAborted()
      const lane = lanes.get(userId) ?? { running: 0, queue: new Set() }
      lanes.set(userId, lane)
      if (lane.running < running) lane.running += 1
      else if (lane.queue.size < waiting) await waitInQueue(lane.queue, signal)
      else throw tooMany(running, waiting)
      let left = false
      return () => {
        if (left) return
        left = true
        leave(userId, lane)
      }
    },
  }
}

function waitInQueue(queue: Lane['queue'], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const proceed = () => {
      queue.delete(proceed)
      signal?.removeEventListener('abort', giveUp)
      resolve()
    }
    const giveUp = () => {
      queue.delete(proceed)
      reject(signal?.reason)
    }
    queue.add(proceed)
    signal?.addEventListener('abort', giveUp, { once: true })
  })
}

const tooMany = (running: number, waiting: number) =>
  new AppError('throttled', `Too many of your requests run at once: ${running} run and ${waiting} wait. Please try again in a moment.`, {
    retryAfter: RETRY_AFTER_SECONDS,
  })
