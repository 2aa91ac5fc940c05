// One message and its answer: who answers, what is written down when, and that the end always says what was done.

import { AppError } from '../../shared/errors.ts'
import type { AppDeps } from '../../shared/http/app.ts'
import { errorFields } from '../../shared/http/log.ts'
import type { Confirmations } from '../../shared/identity/confirmations.ts'
import type { StoredCall } from '../../shared/operations/conversations.ts'
import { asAppError } from '../../shared/operations/failure.ts'
import type { UserContext } from '../../shared/operations/operation.ts'
import { zoneOf } from '../../shared/operations/zone.ts'
import { runAgent } from './agent.ts'
import { packCalls, settleConfirmation, titlesOf } from './confirm.ts'
import type { Emit } from './events.ts'
import type { Journal, PastMessage } from './journal.ts'
import type { ChatLimits } from './limits.ts'
import type { AskModel } from './model.ts'
import { interpret } from './rules/interpret.ts'
import { type ChatState, readState } from './state.ts'
import { askToConfirm, tellDone } from './told.ts'
import { type Call, makeToolbox, type Toolbox } from './toolbox.ts'
import type { TokenBudget } from './usage.ts'

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

/** What all parts of one answer work with. */
type Work = { deps: AnswerDeps; ctx: UserContext; journal: Journal; toolbox: Toolbox; asked: Asked; speech: Speech }
type Speech = ReturnType<typeof makeSpeech>
/** What was said last and is not written down yet, what it leaves behind, and calls that wait for a yes. */
type Reply = { text: string; state?: Partial<ChatState>; waiting?: readonly Call[] }

/** Answers a message into an open journal. Throws nothing: a failure is part of the answer. */
export async function answerMessage(deps: AnswerDeps, ctx: UserContext, journal: Journal, asked: Asked): Promise<Answer> {
  const { limits, log } = deps
  const { signal, emit } = asked
  const report = (error: unknown) => log('error', 'tool failed', { user_id: ctx.actor.userId, ...errorFields(error) })
  const toolbox = makeToolbox(ctx, { limits, signal, emit, report })
  const speech = makeSpeech(emit)
  const ending: { content: string; state: Partial<ChatState> } = { content: '', state: {} }
  let failure: AppError | undefined
  try {
    const work = { deps, ctx, journal, toolbox, asked, speech }
    const past = await journal.recent(limits.historyRows)
    const { shown, focus, ...pending } = readState(past.at(-1)?.state)
    await journal.add('user', { content: asked.message })
    const { text, state = {}, waiting = [] } = await reply(work, past, { shown, focus, ...pending })
    const question = await askWhatWaits(work, [...waiting, ...toolbox.held])
    ending.state = { shown, focus, ...state, ...question?.state }
    ending.content = [text, question?.text].filter(Boolean).join('\n\n') || tellDone(toolbox.done)
    if (speech.texts.length === 0) speech.say(ending.content)
  } catch (error) {
    failure = signal.aborted ? outOfTime(signal) : asAppError(error)
    if (failure.kind === 'internal') report(error)
    // Told within an answer, a failure would be seen by nobody who could mend it: a key that is refused, a model that is away.
    else if (!signal.aborted) log('warn', 'answer failed', { user_id: ctx.actor.userId, kind: failure.kind, ...errorFields(error) })
    failure = withWhatWasDone(failure, tellDone(toolbox.done))
    ending.content = failure.message
    speech.say(ending.content)
  }
  // Whoever hung up finds the end in the conversation. If that is gone, what was done is still told.
  await journal.add('assistant', ending).catch((error) => {
    failure ??= asAppError(error)
  })
  return { response: speech.texts.join('\n\n'), calls: toolbox.done, failure }
}

async function reply(work: Work, past: readonly PastMessage[], before: ChatState): Promise<Reply> {
  const { deps, ctx, journal, toolbox, asked, speech } = work
  const { message, timeZone, signal, emit } = asked
  const settled = await settleConfirmation({ ctx, journal, toolbox, confirmations: deps.confirmations }, message, before)
  if (settled !== undefined) return { text: speech.say(settled) }

  const zone = await zoneOf(ctx, timeZone)
  if (!deps.ask) {
    const { text, ...rest } = await interpret({ ctx, journal, toolbox, zone, before }, message)
    return { text: speech.say(text), ...rest }
  }
  const onText = asked.streams ? (text: string) => emit({ type: 'text', text }) : undefined
  const onTurn = onText ? speech.streamed : speech.say
  const { ask, budget, limits } = deps
  const { text, stopped } = await runAgent({ ctx, ask, budget, limits, journal, toolbox, signal, onText, onTurn }, message, past, zone.name)
  return { text: stopped ? speech.say(`${stopped} ${tellDone(toolbox.done)}`) : text }
}

/** Asks the user about calls that were held back, and keeps them with a proof of having asked. */
async function askWhatWaits({ deps, ctx, speech }: Work, calls: readonly Call[]) {
  if (calls.length === 0) return undefined
  const text = speech.say(askToConfirm(calls, await titlesOf(ctx, calls)))
  const packed = packCalls(calls)
  const token = await deps.confirmations.issue({ userId: ctx.actor.userId, calls: packed })
  return { text, state: { confirmation: { token, calls: packed } } }
}

/** What is said, in order, to whoever listens now and to the answer's end. */
function makeSpeech(emit: Emit) {
  const texts: string[] = []
  return {
    texts,
    /** Says a text in one piece, and returns it. */
    say(text: string): string {
      if (text) {
        emit({ type: 'text-end' })
        texts.push(text)
        emit({ type: 'text', text })
        emit({ type: 'text-end' })
      }
      return text
    },
    /** Notes a text that was shown piece by piece. */
    streamed(text: string): void {
      if (text) texts.push(text)
      emit({ type: 'text-end' })
    },
  }
}

function outOfTime({ reason }: AbortSignal): AppError {
  const late = reason instanceof Error && reason.name === 'TimeoutError'
  const detail = late ? 'I ran out of time.' : 'The connection was closed before I was done.'
  return new AppError('unavailable', detail, { retryAfter: 5, cause: reason })
}

function withWhatWasDone({ kind, message, retryAfter, cause }: AppError, done: string): AppError {
  return new AppError(kind, `${message} ${done}`, { cause, ...(retryAfter === undefined ? {} : { retryAfter }) })
}
