// Running the calls of a clause, and what the clauses share: the scene that they play in, and the question which todo was meant.
import { randomUUID } from 'node:crypto'
import type { StoredCall } from '../../../shared/conversations/conversations.ts'
import { findTodo } from '../lookup.ts'
import { isUnknown } from '../outcome.ts'
import { runInPages } from '../pages.ts'
import type { Named } from '../state.ts'
import { reasonOf, summarizeCalls, summarizeUndone, summarizeUnknown, todosIn } from '../summary.ts'
import type { Call } from '../toolbox.ts'
import type { Moment, Slots } from './slots.ts'
import { findTargets, type Target } from './targets.ts'
import type { Said, Scene } from './types.ts'
import { SHOWN, which } from './wording.ts'

/** Runs calls and remembers their todos. With a read-only token, writing tools answer with an error. */
export async function run({ ctx, journal, toolbox, state }: Scene, calls: readonly Call[]) {
  const reads = calls.map((call) => toolbox.read(`call_${randomUUID()}`, call.name, call.arguments))
  const stored: StoredCall[] = reads.map(({ call }) => call)
  const row = await journal.add('assistant', { calls: stored })
  await toolbox.run(reads, () => journal.fill(row, { calls: stored }))
  const done = stored.filter(({ is_error }) => !is_error)
  // What waits for a yes has not failed.
  const failed = stored.filter(
    (call) => call.is_error && !isUnknown(call) && !toolbox.held.some((held) => held.arguments === call.arguments),
  )
  const todos = done.flatMap(({ result }) => todosIn(result))
  if (calls.some(({ name }) => name !== 'list_tasks') && todos.length > 0) state.focus = todos.map(named)
  const reasons = new Set(ctx.actor.readOnly ? ['this access token may only read'] : failed.map(({ result }) => reasonOf(result)))
  const errors = failed.length > 0 ? [`I could not do that: ${[...reasons].join(' ')}`] : []
  return { stored, done, todos, errors: [...errors, ...summarizeUnknown(stored)] }
}

/** Runs many calls on todos with known titles, and summarizes the outcome. */
export async function runMany(scene: Scene, calls: readonly Call[], known: readonly Named[]): Promise<string> {
  const ran = await runInPages(scene, calls, false)
  return [summarizeCalls(ran, new Map(known.map(({ id, title }) => [id, title]))), ...summarizeUndone(ran, calls.length)].join(' ')
}

export async function show(scene: Scene, call: Call) {
  const { stored, todos, errors } = await run(scene, [call])
  const result = stored[0]?.result
  const next = result !== null && typeof result === 'object' && 'next_cursor' in result ? result.next_cursor : null
  return { todos, cursor: typeof next === 'string' ? next : undefined, error: errors[0] }
}

export const named = ({ id, title }: Named): Named => ({ id, title })

/** The todos of a clause: the chosen ones after a question, else the ones that its reference resolves to. */
export async function targetsOf(
  scene: Pick<Scene, 'ctx' | 'moment' | 'reader' | 'state'>,
  { unmask, chosen }: Said,
  reference: string,
  kind: 'complete' | 'reopen' | 'delete' | 'change',
): Promise<Target> {
  const { ctx, moment, reader, state } = scene
  if (chosen) {
    const found = await Promise.all(chosen.map(({ id }) => findTodo(ctx, id)))
    const todos = found.filter((todo) => todo !== undefined)
    return todos.length > 0 ? { kind: 'found', todos, complete: true } : { kind: 'none', why: 'It is gone already.' }
  }
  const status = kind === 'reopen' ? 'completed' : 'pending'
  return findTargets({ ctx, reader, moment, state, unmask, status, every: kind === 'delete' ? undefined : status }, reference)
}

/** Asks which one was meant; the next message may choose. */
export function ask(scene: Scene, { clause, unmask }: Said, { candidates, count, complete }: Extract<Target, { kind: 'which' }>): string {
  const offered = candidates.slice(0, SHOWN).map(named)
  scene.state.shown = offered
  scene.state.choice = { clause: unmaskQuoted(clause, unmask), candidates: offered }
  return which({ first: candidates, count, complete })
}

/** The clause as it was said: with its quotations in quotation marks again. */
function unmaskQuoted(clause: string, unmask: (text: string) => string): string {
  return clause.replace(/[\ue000-\uf8ff]/gu, (mark) => `"${unmask(mark).replaceAll('"', "'")}"`)
}

/** Slots as the fields of a todo. */
export function fieldsOf({ when, priority, tags }: Omit<Slots, 'rest'>, { zone }: Moment): Record<string, unknown> {
  return {
    ...(when ? { due_date: when.date } : {}),
    ...(when?.time ? { due_time: when.time, ...(zone.known ? { time_zone: zone.name } : {}) } : {}),
    ...(priority ? { priority } : {}),
    ...(tags.length > 0 ? { tags } : {}),
  }
}
