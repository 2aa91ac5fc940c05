// The limits of one connection. Those of a user and of the process are environment variables (shared/runtime/env.ts).

const MiB = 1024 * 1024

export const socketLimits = {
  /** Of one message, also in a POST. A larger one closes its socket with 1009. */
  payloadBytes: MiB,
  /** Of one user's unprocessed messages over all sockets. When full, its sockets are not read. */
  userInboxBytes: 2 * MiB,
  /** Of answers that the client has not read. More closes the socket with 1013. */
  unreadBytes: 4 * MiB,
  /** Consecutive unreadable messages that close the socket with 1008. */
  malformedInARow: 10,
  /** Between two pings. A socket that was silent from one to the next is closed. */
  pingMs: 25_000,
  /** For running calls to finish before the connection closes. */
  leaveMs: 15_000,
  /** For the client to answer a close frame. */
  closeTimeoutMs: 4_000,
}
export type SocketLimits = typeof socketLimits
