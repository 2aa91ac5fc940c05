// What happens while an answer is made, in the order in which it happens. JSON waits for the end of it, a stream shows it.
import type { StoredCall } from '../../shared/conversations/conversations.ts'

export type ChatEvent =
  /** A piece of the answer's text. */
  | { type: 'text'; text: string }
  /** The end of one text: what follows begins another. */
  | { type: 'text-end' }
  | { type: 'call'; call: StoredCall }
  | { type: 'result'; call: StoredCall }

export type Emit = (event: ChatEvent) => void
