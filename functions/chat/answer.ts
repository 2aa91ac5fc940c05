// One message and its answer: who answers, what is written down when, and that the end always says what was done.

import { AppError } from '../../shared/errors.ts'
import type { AppDeps } from '../../shared/http/app.ts'
import { errorFields } from '../../shared/http/log.ts'
import type { Confirmations } from '../../shared/identity/confirmations.ts'
import type { StoredCall } from '../../shared/operations/conversations.ts'
import { asAppError } from '../../shared/operations/failure.ts'
import type { UserContext } from '../../shared/operations/operation.ts'
import { runAgent } from './agent.ts'
import { settleConfirmation, titlesOf } from './confirm.ts'
import type { Emit } from './events.ts'
import type { Journal } from './journal.ts'
import type { ChatLimits } from './limits.ts'
import type { AskModel } from './model.ts'
import { interpret } from './rules/interpret.ts'
import { type ChatState, readState } from './state.ts'
import { askToConfirm, tellDone } from './told.ts'
import { type Call, makeToolbox } from './toolbox.ts'
import type { TokenBudget } from './usage.ts'
import { zoneOf } from './zone.ts'

export type AnswerDeps = Pick<AppDeps, 'log'> & {
  confirmations: Confirmations
  limits: ChatLimits
  budget: TokenBudget
  /** Undefined: the built-in interpreter answers. */
  ask: AskModel | undefined
}

export type Asked = {
  message: string
  /** The user's time zone, as the request says it. */
  timeZone: string | undefined
  signal: AbortSignal
  emit: Emit
  /** Whether somebody reads the text as it arrives. */
  streams: boolean
}

export type Answer = { response: string; calls: readonly StoredCall[]; failure: AppError | undefined }

/** Answers a message into an open journal. Throws nothing: a failure is part of the answer. */
export async function answerMessage(deps: AnswerDeps, ctx: UserContext, journal: Journal, asked: Asked): Promise<Answer> {
  const { log, limits, confirmations } = deps
  const { message, signal, emit } = asked
  const report = (error: unknown) => log('error', 'tool failed', { user_id: ctx.actor.userId, ...errorFields(error) })
  const toolbox = makeToolbox(ctx, { limits, signal, emit, report })
  const texts: string[] = []
  const say = (text: string) => {
    if (!text) return
    texts.push(text)
    emit({ type: 'text', text })
    emit({ type: 'text-end' })
  }

  let state: Partial<ChatState> = {}
  let waiting: readonly Call[] = []
  let last = ''
  let failure: AppError | undefined
  try {
    const past = await journal.recent(limits.historyRows)
    const before = readState(past.at(-1)?.state)
    await journal.add('user', { content: message })
    const settled = await settleConfirmation({ ctx, journal, toolbox, confirmations }, message, before)
    if (settled !== undefined) {
      last = settled
      say(last)
    } else if (deps.ask) {
      const onText = asked.streams ? (text: string) => emit({ type: 'text', text }) : undefined
      const onTurn = (text: string) => {
        if (!onText || !text) return say(text)
        texts.push(text)
        emit({ type: 'text-end' })
      }
      const zone = await zoneOf(ctx, asked.timeZone)
      const end = await runAgent(
        { ctx, ask: deps.ask, budget: deps.budget, limits, journal, toolbox, signal, onText, onTurn },
        message,
        past,
        zone.name,
      )
      last = end.stopped ? `${end.stopped} ${tellDone(toolbox.done)}` : end.text
      if (end.stopped) say(last)
    } else {
      const zone = await zoneOf(ctx, asked.timeZone)
      const end = await interpret({ ctx, journal, toolbox, zone, before }, message)
      last = end.text
      state = end.state
      waiting = end.waiting
      say(last)
    }
    const calls = [...waiting, ...toolbox.held]
    if (calls.length > 0) {
      const question = askToConfirm(calls, await titlesOf(ctx, calls))
      last = [last, question].filter(Boolean).join('\n\n')
      say(question)
      const token = await confirmations.issue({ userId: ctx.actor.userId, calls })
      state = { ...state, confirmation: { token, calls } }
    }
    if (texts.length === 0) {
      last = tellDone(toolbox.done)
      say(last)
    }
  } catch (error) {
    const failed = signal.aborted ? outOfTime(signal) : asAppError(error)
    if (failed.kind === 'internal') report(error)
    last = `${failed.message} ${tellDone(toolbox.done)}`
    failure = new AppError(failed.kind, last, {
      cause: error,
      ...(failed.retryAfter === undefined ? {} : { retryAfter: failed.retryAfter }),
    })
    emit({ type: 'text-end' })
    say(last)
  }
  // Whoever hung up finds the end in the conversation. If that is gone, what was done is still told.
  await journal.add('assistant', { content: last, state }).catch((error) => {
    failure ??= asAppError(error)
  })
  return { response: texts.join('\n\n'), calls: toolbox.done, failure }
}

function outOfTime({ reason }: AbortSignal): AppError {
  const late = reason instanceof Error && reason.name === 'TimeoutError'
  return new AppError('unavailable', late ? 'I ran out of time.' : 'The connection was closed before I was done.', {
    retryAfter: 5,
    cause: reason,
  })
}
