// What one connection may cost. Limits of a user and of the process are environment variables, see shared/runtime/env.ts.

const MiB = 1024 * 1024

/** Bytes, unless the name says otherwise. */
export const socketLimits = {
  /** One message, also in a POST. A larger one closes its socket with 1009. */
  payloadBytes: MiB,
  /** Messages of one user, over all its sockets, that are not processed yet. More is not read from its sockets meanwhile. */
  userInboxBytes: 2 * MiB,
  /** Answers that the client has not read; with more, it is closed with 1013. */
  unreadBytes: 4 * MiB,
  /** Unreadable messages in a row, after which it is closed with 1008. */
  malformedInARow: 10,
  /** Between two pings. A client that gave no sign of life from one to the next is gone. */
  pingMs: 25_000,
  /** For running calls to end, once the connection is about to close. */
  leaveMs: 15_000,
  /** For the client to answer a close. */
  closeTimeoutMs: 4_000,
}
export type SocketLimits = typeof socketLimits
