// What an answer leaves behind for the next message, kept in the answer's row: any replica reads it there.
import { z } from 'zod'

const Named = z.object({ id: z.string(), title: z.string() })
/** A todo as it was last seen. */
export type Named = z.output<typeof Named>

const Call = z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })

export const ChatState = z.object({
  /** The list shown last, in its order: what "the second one" means. */
  shown: z.array(Named).default([]),
  /** What was spoken of last: what "it" and "them" mean. */
  focus: z.array(Named).default([]),
  /** A question that was asked: the clause to carry out once one of the candidates is chosen. */
  choice: z.object({ clause: z.string(), candidates: z.array(Named) }).optional(),
  /** Calls that wait for a yes, and the server's proof that it asked. */
  confirmation: z.object({ token: z.string(), calls: z.array(Call) }).optional(),
})
export type ChatState = z.output<typeof ChatState>

/** Reads a row's state; what cannot be read is as good as none. */
export function readState(value: unknown): ChatState {
  return ChatState.safeParse(value ?? {}).data ?? ChatState.parse({})
}
