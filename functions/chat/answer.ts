// Answers one message: by confirmation, model or interpreter. Stores the final message, which lists the calls that ran even after a failure.

import type { StoredCall } from '../../shared/conversations/conversations.ts'
import type { TokenBudget } from '../../shared/conversations/usage.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { AppError } from '../../shared/core/errors.ts'
import { asAppError } from '../../shared/core/failure.ts'
import { errorFields } from '../../shared/core/log.ts'
import type { AppDeps } from '../../shared/http/types.ts'
import { zoneOf } from '../../shared/todos/zone.ts'
import { runAgent } from './agent.ts'
import { packCalls, settleConfirmation, titlesOf } from './confirm.ts'
import type { Confirmations } from './confirmations.ts'
import { type Deadline, outOfTime, until } from './deadline.ts'
import type { Emit } from './events.ts'
import type { ChatLimits } from './limits.ts'
import type { AskModel } from './model.ts'
import { interpret } from './rules/interpret.ts'
import { type ChatState, readState } from './state.ts'
import { askToConfirm, mayHaveChanged, summarizeCalls } from './summary.ts'
import { type Call, createToolbox, type Toolbox } from './toolbox.ts'
import type { OpenTurn } from './turn.ts'

export type AnswerDeps = Pick<AppDeps, 'log'> & {
  confirmations: Confirmations
  limits: ChatLimits
  budget: TokenBudget
  /** Undefined: the built-in interpreter answers. */
  ask: AskModel | undefined
}

export type Asked = {
  message: string
  /** The time zone that the request names. */
  timeZone: string | undefined
  deadline: Deadline
  emit: Emit
  /** Whether the client reads the text as it arrives. */
  streams: boolean
}

export type Answer = { response: string; calls: readonly StoredCall[]; failure: AppError | undefined }

/** What all parts of one answer work with. */
type Work = { deps: AnswerDeps; ctx: UserContext; turn: OpenTurn; toolbox: Toolbox; asked: Asked; speech: Speech }
type Speech = ReturnType<typeof createSpeech>
/** The last text, not stored yet, with the state for the next message and the calls that need a confirmation. */
type Reply = { text: string; state?: Partial<ChatState>; waiting?: readonly Call[] }
/** The answer's last message. */
type Ending = { content: string; state: Partial<ChatState> }

/**
 * Answers the message of an open turn, stores the final message and releases the conversation before the deadline ends. Never throws: a
 * failure is part of the answer, and calls that ran are reported even when storing fails.
 */
export async function answerMessage(deps: AnswerDeps, ctx: UserContext, turn: OpenTurn, asked: Asked): Promise<Answer> {
  const { limits, log } = deps
  const { deadline, emit } = asked
  const report = (error: unknown) => log('error', 'tool failed', { user_id: ctx.actor.userId, ...errorFields(error) })
  const heard = createGate(emit)
  const toolbox = createToolbox(ctx, { limits, signal: deadline.stop, emit: heard.emit, report })
  const speech = createSpeech(heard.emit)
  let ending: Ending
  let failure: AppError | undefined
  try {
    ending = await until(deadline.giveUp, compose({ deps, ctx, turn, toolbox, asked: { ...asked, emit: heard.emit }, speech }))
  } catch (error) {
    toolbox.abandon()
    failure = failureOf(error, deadline, toolbox)
    if (failure.kind === 'internal') report(error)
    // Log it too: the user sees this error, an operator would not.
    else if (!deadline.stop.aborted) log('warn', 'answer failed', { user_id: ctx.actor.userId, kind: failure.kind, ...errorFields(error) })
    ending = { content: failure.message, state: {} }
    speech.say(ending.content)
  }
  // Abandoned work may still run: ignore its events.
  heard.close()
  const response = speech.texts.join('\n\n')
  const calls = [...toolbox.done]
  const answered = failure === undefined || calls.length > 0
  const engine = deps.ask ? ('model' as const) : ('rules' as const)
  const storing = AbortSignal.any([deadline.end, AbortSignal.timeout(limits.endingMs)])
  const stored = turn.end(ending, answered ? { response, engine, calls, failure: failure?.message ?? null } : undefined)
  await until(storing, stored).catch((error) => {
    log('warn', 'answer not stored', { user_id: ctx.actor.userId, ...errorFields(error) })
    failure ??= storing.aborted ? outOfTime(storing) : asAppError(error)
  })
  await turn.journal.close()
  return { response, calls, failure }
}

async function compose(work: Work): Promise<Ending> {
  const { turn, toolbox, speech } = work
  const { shown, focus, ...pending } = readState(turn.past.at(-1)?.state)
  const { text, state = {}, waiting = [] } = await reply(work, { shown, focus, ...pending })
  const question = await askWhatWaits(work, [...waiting, ...toolbox.held])
  const content = [text, question?.text].filter(Boolean).join('\n\n') || summarizeCalls(toolbox.done)
  if (speech.texts.length === 0) speech.say(content)
  return { content, state: { shown, focus, ...state, ...question?.state } }
}

async function reply(work: Work, before: ChatState): Promise<Reply> {
  const { deps, ctx, turn, toolbox, asked, speech } = work
  const { message, timeZone, deadline, emit } = asked
  const { journal, past } = turn
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
  const agent = { ctx, ask, budget, limits, journal, toolbox, signal: deadline.stop, onText, onTurn }
  const { text, stopped } = await runAgent(agent, message, past, zone.name)
  return { text: stopped ? speech.say(`${stopped} ${summarizeCalls(toolbox.done)}`) : text }
}

/** Asks the user to confirm held calls, and signs a token that proves which calls the question named. */
async function askWhatWaits({ deps, ctx, speech }: Work, calls: readonly Call[]) {
  if (calls.length === 0) return undefined
  const text = speech.say(askToConfirm(calls, await titlesOf(ctx, calls)))
  const packed = packCalls(calls)
  const token = await deps.confirmations.issue({ userId: ctx.actor.userId, calls: packed })
  return { text, state: { confirmation: { token, calls: packed } } }
}

/** Collects the texts of an answer in order, and emits each one. */
function createSpeech(emit: Emit) {
  const texts: string[] = []
  return {
    texts,
    /** Emits a text in one piece, and returns it. */
    say(text: string): string {
      if (text) {
        emit({ type: 'text-end' })
        texts.push(text)
        emit({ type: 'text', text })
        emit({ type: 'text-end' })
      }
      return text
    },
    /** Adds a text that was emitted in pieces. */
    streamed(text: string): void {
      if (text) texts.push(text)
      emit({ type: 'text-end' })
    },
  }
}

/** Passes events on until it is closed. */
function createGate(emit: Emit) {
  let open = true
  return {
    emit: ((event) => {
      if (open) emit(event)
    }) satisfies Emit,
    close() {
      open = false
    },
  }
}

/** The error for the client, with a summary of the calls that ran and of calls with an unknown outcome. */
function failureOf(error: unknown, { stop }: Deadline, { done }: Toolbox): AppError {
  const { kind, message, retryAfter, cause } = stop.aborted ? outOfTime(stop) : asAppError(error)
  // "Please try again" would be wrong advice: a retry could run the same writes twice.
  const said =
    mayHaveChanged(done) && !(error instanceof AppError) && !stop.aborted ? 'I was interrupted by a failure on our side.' : message
  return new AppError(kind, `${said} ${summarizeCalls(done)}`, { cause, ...(retryAfter === undefined ? {} : { retryAfter }) })
}
