// The state that the interpreter's modules share while they answer one message.
import type { Journal } from '../../../shared/conversations/journal.ts'
import type { Zone } from '../../../shared/core/calendar.ts'
import type { UserContext } from '../../../shared/core/context.ts'
import type { ChatState, Named } from '../state.ts'
import type { Call, Toolbox } from '../toolbox.ts'
import type { Reader } from './reader.ts'
import type { Moment } from './slots.ts'

export type Talk = { ctx: UserContext; journal: Journal; toolbox: Toolbox; zone: Zone; before: ChatState }

export type Scene = Talk & {
  moment: Moment
  reader: Reader
  /** What this answer leaves behind. */
  state: Talk['before']
  /** Calls that wait for a yes. */
  waiting: Call[]
  /** The message deletes in several places: none of it without a yes. */
  asksBeforeDeleting: boolean
}
export type Said = {
  clause: string
  unmask: (text: string) => string
  /** What the user has chosen when asked which todo was meant. */
  chosen: readonly Named[] | undefined
}
