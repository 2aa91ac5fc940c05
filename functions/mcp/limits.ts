// What a connection may cost, in one place.
import type { JsonLimits } from '../../shared/json.ts'

/** What a message may hold: twice as much as a call that changes 50 todos. The SDK's schemas take up to 30 µs a value. */
export const messageLimits = { values: 2_000, levels: 32 } satisfies JsonLimits
export const UNREADABLE = `This is not JSON in UTF-8 of at most ${messageLimits.values} values, nested at most ${messageLimits.levels} levels deep.`

/** Milliseconds, unless said otherwise. */
export const socketLimits = {
  /** Bytes of a message, also of one in a POST. Above, ws closes with 1009. */
  payload: 1024 * 1024,
  /** Requests that may run at once; one more is refused, not run. */
  inFlight: 32,
  /** Bytes that may wait for a client that does not read; above, it is let go with 1013. */
  buffered: 4 * 1024 * 1024,
  /** Unreadable messages in a row; then it is let go with 1008. */
  faults: 10,
  /** Between two pings. Who has given no sign of life from one to the next is gone. */
  ping: 25_000,
  /** What running calls have to end, once the connection is to close. */
  leave: 15_000,
  /** What the other side has to answer a close. */
  farewell: 4_000,
}
export type SocketLimits = typeof socketLimits
