// The state that an answer keeps for the next message. It is stored in the answer's row, so that any replica can continue.
import { z } from 'zod'

const Named = z.object({ id: z.string(), title: z.string() })
/** A todo's id and its last known title. */
export type Named = z.output<typeof Named>

const Call = z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })

export const ChatState = z.object({
  /** The list shown last, in order: resolves "the second one". */
  shown: z.array(Named).default([]),
  /** The todos mentioned last: resolves "it" and "them". */
  focus: z.array(Named).default([]),
  /** A pending question: the clause to run once the user chooses one of the candidates. */
  choice: z.object({ clause: z.string(), candidates: z.array(Named) }).optional(),
  /** Calls that need a confirmation, and the token that proves which calls the question named. */
  confirmation: z.object({ token: z.string(), calls: z.array(Call) }).optional(),
})
export type ChatState = z.output<typeof ChatState>

/** Reads a row's state; an unreadable one counts as empty. */
export function readState(value: unknown): ChatState {
  return ChatState.safeParse(value ?? {}).data ?? ChatState.parse({})
}
