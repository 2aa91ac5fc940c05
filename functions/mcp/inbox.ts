// Limits the bytes of one user's unprocessed messages. A parsed message takes many times its size, so many large ones could exhaust the
// memory of the process.

export type Inboxes = {
  /**
   * Reserves `bytes` bytes for a message. The first message of a user always fits.
   * @returns a function that releases them, to be called once; undefined when the inbox is full: `retry` is then called after a release
   */
  reserve(userId: string, bytes: number, retry: () => void): (() => void) | undefined
}

type Inbox = { bytes: number; waiting: Set<() => void> }

/** Inboxes kept in the memory of this process. */
export function createInboxes(maxBytes: number): Inboxes {
  const inboxes = new Map<string, Inbox>()

  function release(userId: string, inbox: Inbox, bytes: number): void {
    inbox.bytes -= bytes
    const waiting = [...inbox.waiting]
    inbox.waiting.clear()
    // A retry that still finds no room is queued again.
    for (const retry of waiting) retry()
    // A retry may have made another inbox meanwhile.
    if (inbox.bytes === 0 && inbox.waiting.size === 0 && inboxes.get(userId) === inbox) inboxes.delete(userId)
  }

  return {
    reserve(userId, bytes, retry) {
      const inbox = inboxes.get(userId) ?? { bytes: 0, waiting: new Set() }
      if (inbox.bytes > 0 && inbox.bytes + bytes > maxBytes) {
        inbox.waiting.add(retry)
        return undefined
      }
      inboxes.set(userId, inbox)
      inbox.bytes += bytes
      return () => release(userId, inbox, bytes)
    },
  }
}
