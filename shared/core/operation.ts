// An operation is one capability: a typed function that carries its own description. REST, chat and MCP call the same operations.
import type { z } from 'zod'
import type { Actor } from './actor.ts'
import type { Context } from './context.ts'
import { AppError, type ErrorKind } from './errors.ts'

/** `read` changes nothing, another call can undo a `write`, none can undo a `destroy`. */
type Effect = 'read' | 'write' | 'destroy'

export type OperationSpec<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> = {
  /** The name as a tool of models: snake_case, unique. */
  name: string
  /** The name for people, in clients that list tools. */
  title?: string
  /** One sentence for people and models alike. */
  summary: string
  description?: string
  effect: Effect
  /** A second call with the same input changes nothing more. */
  idempotent?: boolean
  input: Input
  /** Values for the properties that a model omits, where they differ from the schema's defaults: a model pays for every character it reads. */
  modelDefaults?: Partial<z.output<Input>>
  output: Output
  /** The kinds of AppError that it throws itself, besides the ones of a rejected input. */
  errors?: readonly ErrorKind[]
}

export type Operation<Ctx, Input extends z.ZodType, Output extends z.ZodType> = {
  /** Takes a parsed input: the caller has checked it against `spec.input`. */
  (ctx: Ctx, input: z.output<Input>): Promise<z.output<Output>>
  spec: OperationSpec<Input, Output>
}

/** Creates an operation. A call with a read-only token throws AppError `forbidden` unless the operation's effect is `read`. */
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
