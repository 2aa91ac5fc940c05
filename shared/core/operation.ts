// One capability = one operation: a plain typed function that carries its own description. REST, chat and MCP are faces of it.
import type { Db } from '@todo/prisma'
import type { z } from 'zod'
import type { Quotas } from '../accounts/quotas.ts'
import type { Nudge } from '../events/outbox.ts'
import { AppError, type ErrorKind } from './errors.ts'

/** Who asks, as the verified token says. The only source of a user's id anywhere. */
export type Actor = {
  userId: string
  /** The foreign issuer's `iss`; null for our own accounts. */
  issuer: string | null
  email: string | null
  /** A display name, when the token carries one. */
  name: string | null
  /** When the token ends. */
  expiresAt: Date
  /** The token was given for looking only (scope `todos:read`). */
  readOnly: boolean
}

/** A path may name its owner so, instead of by id. No user has it as an id: the token verifier refuses it as a foreign `sub`. */
export const ME = 'me'

export type Context = {
  db: Db
  clock: () => Date
  /** Who takes events to their sink. Where there is nobody, changes write none. */
  delivery: Nudge | undefined
  quotas: Quotas
  /** What is asked for is part of this trace: a W3C `traceparent`. */
  traceparent?: string
}
export type UserContext = Context & { actor: Actor }

/** `read` changes nothing, `write` can be undone by another call, `destroy` cannot. */
export type Effect = 'read' | 'write' | 'destroy'

export type OperationSpec<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> = {
  /** How models call it: snake_case, unique. */
  name: string
  /** How people call it, where a client lists it as a tool. */
  title?: string
  /** One sentence for people and models alike. */
  summary: string
  description?: string
  effect: Effect
  /** Calling it twice with the same input ends where calling it once does. */
  idempotent?: boolean
  input: Input
  /** What a model means that leaves these out, where that differs from the schema: it pays for every character it reads. */
  modelDefaults?: Partial<z.output<Input>>
  output: Output
  /** The kinds of AppError it throws by itself, beyond what reading its input may give. */
  errors?: readonly ErrorKind[]
}

export type Operation<Ctx, Input extends z.ZodType, Output extends z.ZodType> = {
  /** The input is parsed already: every face does so before it calls. */
  (ctx: Ctx, input: z.output<Input>): Promise<z.output<Output>>
  spec: OperationSpec<Input, Output>
}

/** Makes an operation. A read-only token is refused here, whichever face it came through, unless the operation only reads. */
export function operation<Ctx extends Context & { actor?: Actor }, Input extends z.ZodType, Output extends z.ZodType>(
  spec: OperationSpec<Input, Output>,
  run: (ctx: Ctx, input: z.output<Input>) => Promise<z.output<Output>>,
): Operation<Ctx, Input, Output> {
  return Object.assign(
    async (ctx: Ctx, input: z.output<Input>) => {
      if (ctx.actor?.readOnly && spec.effect !== 'read') throw new AppError('forbidden', 'This access token may only read.')
      return run(ctx, input)
    },
    { spec },
  )
}
