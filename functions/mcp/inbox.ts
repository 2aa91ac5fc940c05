// Bounds the bytes of messages that one user has sent and that are not processed yet. A parsed message takes many times its size, so many
// large ones from one user could exhaust the memory of the process.

export type Inboxes = {
  /**
   * Takes room for a message of `bytes` bytes. The first message of a user always fits.
   * @returns what gives the room back, to be called once; undefined without room, and then `retry` is called as soon as there is some again
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
    // One that still finds no room waits again.
    for (const retry of waiting) retry()
    if (inbox.bytes === 0 && inbox.waiting.size === 0) inboxes.delete(userId)
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
