// Runs the tool calls of one request, for the model and the interpreter alike. It parses arguments strictly, runs calls one at a time,
// holds calls that need a confirmation, and turns every failure into a result that the model can act on.
import { z } from 'zod'
import type { StoredCall } from '../../shared/conversations/conversations.ts'
import { storable } from '../../shared/conversations/storable.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { AppError } from '../../shared/core/errors.ts'
import { asAppError, outcomeUnknown } from '../../shared/core/failure.ts'
import { asInvalid } from '../../shared/core/invalid.ts'
import { canonical } from '../../shared/core/json.ts'
import { type Tool, toolsFor, withModelDefaults } from '../../shared/todos/tools.ts'
import { MAX_UNCONFIRMED, todosEndedBy } from './confirmation-policy.ts'
import type { Emit } from './events.ts'
import type { ChatLimits } from './limits.ts'
import { UNKNOWN_OUTCOME } from './outcome.ts'

export type Call = { name: string; arguments: Record<string, unknown> }
/** A parsed call: its tool and input, or the reason for its refusal. */
type Read = { call: StoredCall; tool?: Tool; input: Record<string, unknown>; refusal?: AppError }
export type Toolbox = ReturnType<typeof createToolbox>

type Options = {
  limits: ChatLimits
  /** Aborts when no further call may start. */
  signal: AbortSignal
  emit: Emit
  /** Receives unexpected errors. */
  report: (error: unknown) => void
}

export function createToolbox(ctx: UserContext, { limits, signal, emit, report }: Options) {
  const tools = toolsFor(ctx.actor)
  const done: StoredCall[] = []
  const held: Call[] = []
  const ended = new Set<string>()
  /** Each call made, with the number of writes before it: repeating a read after a write is allowed. */
  const made = new Map<string, number>()
  /** Writes with an unknown outcome since the last read. They may be retried only after another read. */
  const unsure = new Set<string>()
  let writes = 0
  let repeats = 0
  /** The call that runs now. */
  let running: Read | undefined
  let abandoned = false

  /** Parses a call. `given` is JSON text from a model, or the interpreter's own arguments. */
  function read(id: string, name: string, given: string | Record<string, unknown>): Read {
    const call: StoredCall = { id, name: storable(name).slice(0, 64), arguments: {}, result: null, is_error: false, settled: false }
    try {
      const parsed = typeof given === 'string' ? parseArguments(given, limits.argumentChars) : given
      call.arguments = storable(parsed)
      const tool = tools.find(({ spec }) => spec.name === name)
      if (!tool)
        throw new AppError('not_found', `There is no such tool here. The tools are: ${tools.map(({ spec }) => spec.name).join(', ')}.`)
      const input = tool.spec.input.safeParse(typeof given === 'string' ? withModelDefaults(tool, parsed) : parsed)
      if (!input.success) throw asInvalid(input.error)
      return { call, tool, input: input.data }
    } catch (error) {
      return { call, input: {}, refusal: asAppError(error) }
    }
  }

  async function resultOf({ call, tool, input, refusal }: Read, hold: boolean): Promise<unknown> {
    if (refusal || !tool) throw refusal
    if (hold && todosEndedBy(call.name, input).length > 0) {
      held.push({ name: call.name, arguments: call.arguments })
      throw new AppError('conflict', HELD)
    }
    const key = canonical([call.name, input])
    const isRead = tool.spec.effect === 'read'
    const before = made.get(key)
    if (before !== undefined && (!isRead || before === writes)) {
      repeats++
      throw new AppError('conflict', unsure.has(key) ? LOOK_FIRST : 'This call was made already: use its result.')
    }
    made.set(key, writes)
    if (!isRead) writes++
    try {
      const result = await tool(ctx, input)
      if (isRead) {
        for (const one of unsure) made.delete(one)
        unsure.clear()
      }
      return result
    } catch (error) {
      const failure = asAppError(error)
      if (failure.kind === 'internal') report(error)
      if (!isRead && outcomeUnknown(error)) {
        unsure.add(key)
        throw new UnknownOutcome()
      }
      if (failure.kind === 'unavailable') made.delete(key)
      throw failure
    }
  }

  function settle(call: StoredCall, outcome: { result: unknown } | { error: unknown }): void {
    Object.assign(call, 'result' in outcome ? outcome : { result: errorResult(outcome.error), is_error: true }, { settled: true })
    running = undefined
    done.push(call)
    emit({ type: 'result', call })
  }

  return {
    tools,
    /** The calls of this request that have a result. */
    done: done as readonly StoredCall[],
    /** The calls that need the user's confirmation. */
    held: held as readonly Call[],
    /** The number of identical repeated calls. */
    repeats: () => repeats,
    read,
    /**
     * Runs calls one at a time, and calls `save` after each. If the request would delete or complete more than 3 todos, all such calls
     * are held for confirmation. Stops between two calls when the request is aborted.
     */
    async run(calls: readonly Read[], save: () => Promise<void>, { confirmed = false } = {}): Promise<void> {
      for (const { call, input } of calls) for (const id of todosEndedBy(call.name, input)) ended.add(id)
      const hold = !confirmed && ended.size > MAX_UNCONFIRMED
      for (const read of calls) {
        signal.throwIfAborted()
        if (abandoned) throw new AppError('unavailable', 'This request has ended.')
        const { call } = read
        emit({ type: 'call', call })
        running = read
        const outcome = await resultOf(read, hold).then(
          (result) => ({ result }),
          (error) => ({ error }),
        )
        if (abandoned) throw signal.reason
        settle(call, outcome)
        await save()
      }
    },
    /** Abandons the running call, if any: a write then has an unknown outcome. No further call starts. */
    abandon(): void {
      abandoned = true
      if (!running) return
      const { call, tool } = running
      settle(call, { error: tool?.spec.effect === 'read' ? new AppError('unavailable', 'This took too long.') : new UnknownOutcome() })
    },
  }
}

/** A write with an unknown outcome. */
class UnknownOutcome extends Error {}

function errorResult(error: unknown): object {
  if (error instanceof UnknownOutcome) return UNKNOWN_OUTCOME
  const { message, issues } = asAppError(error)
  return { error: message, ...(issues?.length ? { issues } : {}) }
}

const LOOK_FIRST = 'It is not known whether this call was done: look it up first. Make the call again if it was not.'

const HELD =
  'Nothing was changed by this call: it waits for the user to confirm, because this request deletes or completes more than ' +
  `${MAX_UNCONFIRMED} todos. Do not repeat it. Make the other calls, if there are any; the user will be asked.`

function parseArguments(text: string, limit: number): Record<string, unknown> {
  if (text.length > limit) throw new AppError('too_large', `The arguments must have ${limit} characters at the most.`)
  let given: Record<string, unknown>
  try {
    given = z.record(z.string(), z.unknown()).parse(JSON.parse(text || '{}'))
  } catch (cause) {
    throw new AppError('malformed', 'The arguments are not a JSON object.', { cause })
  }
  // Limit nesting: recursive readers here and in PostgreSQL would overflow the stack.
  if (isDeeper(given, MAX_LEVELS)) throw new AppError('malformed', `The arguments are nested deeper than ${MAX_LEVELS} levels.`)
  return given
}

/** Twice as many levels of nesting as any tool needs. */
const MAX_LEVELS = 8

function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false
  return levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1))
}
