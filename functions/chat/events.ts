// The events of an answer in progress. A stream sends each one; a JSON response waits for the end.
import type { StoredCall } from '../../shared/conversations/conversations.ts'

export type ChatEvent =
  /** A piece of the answer's text. */
  | { type: 'text'; text: string }
  /** The end of one text: the next `text` event begins another. */
  | { type: 'text-end' }
  | { type: 'call'; call: StoredCall }
  | { type: 'result'; call: StoredCall }

export type Emit = (event: ChatEvent) => void
