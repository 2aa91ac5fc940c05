// The built-in interpreter: English sentences to calls, without a language model. Quotations are masked, the message is split into
// clauses, each clause becomes an intent, its slots are read and its references looked up; then its calls run, clause after clause.
import { setImmediate as breathe } from 'node:timers/promises'
import { isNo, isYes } from '../confirm.ts'
import type { ChatState } from '../state.ts'
import { quoted } from '../summary.ts'
import type { Call } from '../toolbox.ts'
import { act } from './acts.ts'
import { chosenFrom } from './choices.ts'
import { splitClauses } from './clauses.ts'
import { type Intent, intentOf } from './intent.ts'
import { maskQuotations } from './literal.ts'
import { ordinalsIn } from './ordinals.ts'
import { createReader } from './reader.ts'
import type { Talk } from './types.ts'
import { MAX_AT_ONCE, NOTHING, NOTHING_PENDING, TOO_MUCH } from './wording.ts'

/** The answer. `waiting` holds the calls that need a confirmation. */
export type Interpreted = { text: string; state: ChatState; waiting: readonly Call[] }

/** Characters outside of quotation marks: some patterns look at every pair of words. */
const MAX_TEXT = 1_000

export async function interpret(talk: Talk, message: string): Promise<Interpreted> {
  const { ctx, before, zone } = talk
  const scene = {
    ...talk,
    moment: { now: ctx.clock(), zone },
    reader: createReader(ctx),
    state: { shown: before.shown, focus: before.focus } satisfies ChatState as ChatState,
    waiting: [] as Call[],
    asksBeforeDeleting: false,
  }
  const lines: string[] = []
  const chosen = before.choice && chosenFrom(before.choice.candidates, message)
  if (before.choice && chosen) {
    const masked = maskQuotations(before.choice.clause)
    lines.push(await act(scene, intentOf(masked.text), { clause: masked.text, unmask: masked.unmask, chosen }))
  } else if (before.choice && isNo(message)) {
    lines.push(NOTHING)
  } else if (before.choice && (isYes(message) || ordinalsIn(message, before.choice.candidates.length))) {
    // A place that is not there, or a yes that chooses none.
    scene.state.choice = before.choice
    lines.push(`Please choose one of the ${before.choice.candidates.length}, or say “never mind”.`)
  } else if (before.shown.length === 0 && ordinalsIn(message.replace(/[\s.!?]+$/, ''), 0)) {
    lines.push(NOTHING_PENDING)
  } else {
    const { text, unmask } = maskQuotations(message)
    const clauses = text.length > MAX_TEXT ? [] : splitClauses(text)
    if (text.length > MAX_TEXT || clauses.length > MAX_AT_ONCE) return { text: TOO_MUCH, state: scene.state, waiting: [] }
    const wishes = withoutSmallTalk(await intentsOf(clauses))
    scene.asksBeforeDeleting = wishes.filter(({ intent }) => intent.kind === 'delete').length > 1
    for (const { clause, intent } of wishes) {
      // Only one question at a time can be answered.
      if (scene.state.choice && 'target' in intent) lines.push(`I left out ${quoted(unmask(clause))} for now.`)
      else lines.push(await act(scene, intent, { clause, unmask, chosen: undefined }))
    }
    if (wishes.length === 0) lines.push(await act(scene, { kind: 'help' }, { clause: text, unmask, chosen: undefined }))
  }
  return { text: lines.filter(Boolean).join('\n'), state: scene.state, waiting: scene.waiting }
}

type Wish = { clause: string; intent: Intent }

async function intentsOf(clauses: readonly string[]): Promise<Wish[]> {
  const wishes: Wish[] = []
  for (const clause of clauses) {
    // Patterns take some milliseconds over a long clause: other requests get their turn in between.
    await breathe()
    wishes.push({ clause, intent: intentOf(clause) })
  }
  return wishes
}

/** "Hi! Please add milk": a greeting needs no answer of its own beside something to do. */
function withoutSmallTalk(all: readonly Wish[]): readonly Wish[] {
  const wishes = all.filter(({ intent }) => !['hello', 'thanks'].includes(intent.kind))
  return wishes.length > 0 ? wishes : all
}
