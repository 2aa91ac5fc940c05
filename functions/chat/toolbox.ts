// The tools within one request: the only way from what was said, by a model or by the interpreter, to an operation. It parses arguments
// strictly, runs one call after the other, holds back what needs the user's word, and turns every failure into a result to learn from.
import { z } from 'zod'
import type { StoredCall } from '../../shared/conversations/conversations.ts'
import { storable } from '../../shared/conversations/storable.ts'
import { AppError } from '../../shared/core/errors.ts'
import { asAppError, outcomeUnknown } from '../../shared/core/failure.ts'
import type { UserContext } from '../../shared/core/operation.ts'
import { asInvalid } from '../../shared/http/validate.ts'
import { type Tool, toolsFor, withModelDefaults } from '../../shared/todos/tools.ts'
import { MAX_UNCONFIRMED, todosEndedBy } from './confirmation-policy.ts'
import { canonical } from './confirmations.ts'
import type { Emit } from './events.ts'
import type { ChatLimits } from './limits.ts'
import { UNKNOWN_OUTCOME } from './outcome.ts'

export type Call = { name: string; arguments: Record<string, unknown> }
/** A call that has been read: either its tool and its parsed input, or why there are none. */
type Read = { call: StoredCall; tool?: Tool; input: Record<string, unknown>; refusal?: AppError }
export type Toolbox = ReturnType<typeof createToolbox>

type Options = {
  limits: ChatLimits
  /** Aborts when no further call may begin. */
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
  /** Each call made, with the number of writes before it: reading again after a write is no repetition. */
  const made = new Map<string, number>()
  /** Writes whose outcome is unknown, since the last read: only a look may tell whether to make them again. */
  const unsure = new Set<string>()
  let writes = 0
  let repeats = 0
  /** The call that runs now. */
  let running: Read | undefined
  let abandoned = false

  /** Reads a call: `given` is JSON text from a model, or arguments of our own making. */
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
      throw new AppError('conflict', unsure.has(key) ? LOOK_FIRST : 'This very call was made already: use the result that it had.')
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
    /** Every call of this request that has its result. */
    done: done as readonly StoredCall[],
    /** What waits for the user's word. */
    held: held as readonly Call[],
    /** How often a call was made again word for word. */
    repeats: () => repeats,
    read,
    /**
     * Runs calls one after the other, and `save`s after each. When they would bring the todos that this request ends above what it may
     * end unasked, all the ending ones among them are held. Stops between two calls when the request is aborted.
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
    /** Gives up the call that runs now, if any: its outcome is unknown if it writes. No further call begins. */
    abandon(): void {
      abandoned = true
      if (!running) return
      const { call, tool } = running
      settle(call, { error: tool?.spec.effect === 'read' ? new AppError('unavailable', 'This took too long.') : new UnknownOutcome() })
    },
  }
}

/** A write of which nobody knows whether it was made. */
class UnknownOutcome extends Error {}

function errorResult(error: unknown): object {
  if (error instanceof UnknownOutcome) return UNKNOWN_OUTCOME
  const { message, issues } = asAppError(error)
  return { error: message, ...(issues?.length ? { issues } : {}) }
}

const LOOK_FIRST = 'It is not known whether this very call was done: look it up first. Make the call again if it was not.'

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
  // What reads them later, here and in PostgreSQL, goes down level by level and would run out of stack.
  if (isDeeper(given, DEEPEST)) throw new AppError('malformed', `The arguments are nested deeper than ${DEEPEST} levels.`)
  return given
}

/** Levels of nesting: twice as many as any tool could want. */
const DEEPEST = 8

function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return false
  return levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1))
}
