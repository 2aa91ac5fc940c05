// The lane for searches: the few that take long must not take all of a process's database connections, nor one user all places of the lane.

export type SearchLane = {
  /** Runs `search` once there is a place; waiting users take turns. Throws what `search` throws. */
  run<T>(userId: string, search: () => Promise<T>): Promise<T>
}

type Waiting = { userId: string; start: () => void }

/** `places`: searches that run at the same time, each of another user. */
export function createSearchLane(places: number): SearchLane {
  const running = new Set<string>()
  const queue: Waiting[] = []

  function startNext(): void {
    if (running.size >= places) return
    const next = queue.findIndex(({ userId }) => !running.has(userId))
    const [waiting] = next < 0 ? [] : queue.splice(next, 1)
    if (!waiting) return
    running.add(waiting.userId)
    waiting.start()
  }

  return {
    async run(userId, search) {
      await new Promise<void>((start) => {
        queue.push({ userId, start })
        startNext()
      })
      try {
        return await search()
      } finally {
        running.delete(userId)
        startNext()
      }
    },
  }
}
