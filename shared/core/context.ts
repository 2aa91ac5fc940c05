// The dependencies that every operation gets as its first argument.
import type { Db } from '@todo/prisma'
import type { Actor } from './actor.ts'

/** The most that one user may have of each. */
export type Quotas = { openTodos: number; conversations: number }

/** Wakes the delivery of events after a change that wrote one. */
export type Nudge = { nudge(): void }

export type Context = {
  db: Db
  clock: () => Date
  /** Delivers events to their sink. Without a sink it is undefined, and changes write no events. */
  delivery: Nudge | undefined
  quotas: Quotas
  /** The W3C `traceparent` of the request, for the events that it causes. */
  traceparent?: string
}
export type UserContext = Context & { actor: Actor }
