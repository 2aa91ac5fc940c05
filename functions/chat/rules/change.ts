// Completing, reopening, deleting and changing what is there.
import { MAX_UNCONFIRMED } from '../confirmation-policy.ts'
import { enumerate, quoted } from '../summary.ts'
import type { Call } from '../toolbox.ts'
import { add } from './add.ts'
import type { Intent } from './intent.ts'
import { ask, fieldsOf, run, runMany, targetsOf } from './run.ts'
import { type Moment, type Slots, takeSlots } from './slots.ts'
import { isEvery, type Target } from './targets.ts'
import type { Said, Scene } from './types.ts'
import { changed, MAX_AT_ONCE, type Match } from './wording.ts'

/** Completes, reopens or deletes. */
export async function end(scene: Scene, intent: Extract<Intent, { kind: 'complete' | 'reopen' | 'delete' }>, said: Said): Promise<string> {
  const { kind, weak } = intent
  // "finish the report by friday" is a plan.
  if (weak && kind === 'complete' && !said.chosen && !isEvery(intent.target) && (await takeSlots(intent.target, scene.moment)).when)
    return add(scene, said.clause, false, said)
  const target = await targetsOf(scene, said, intent.target, kind)
  if (target.kind === 'none' && weak && kind === 'delete') return add(scene, said.clause, false, said)
  if (target.kind === 'none')
    return weak ? `${target.why} If it is something to do, say ${quoted(`add ${said.unmask(said.clause)}`)}.` : target.why
  if (target.kind === 'which') return ask(scene, said, target)
  const calls = target.todos.map(({ id }) =>
    kind === 'delete'
      ? { name: 'delete_task', arguments: { todo_id: id } }
      : { name: 'complete_task', arguments: { todo_id: id, completed: kind === 'complete' } },
  )
  const waits = kind === 'delete' ? calls.length > 1 || scene.asksBeforeDeleting : kind === 'complete' && calls.length > MAX_UNCONFIRMED
  if (waits && !scene.ctx.actor.readOnly) {
    for (const call of calls) scene.waiting.push(call)
    return target.complete ? '' : BEYOND
  }
  if (kind === 'reopen' && target.todos.every(({ completed }) => !completed))
    return `${enumerate(target.todos.map(({ title }) => title))} is not done: there is nothing to reopen.`
  if (calls.length > MAX_AT_ONCE && !scene.ctx.actor.readOnly) return together(await runMany(scene, calls, target.todos), target)
  const { done, todos, errors } = await run(scene, tried(scene, calls))
  const ended = kind === 'delete' ? target.todos.filter(({ id }) => done.some((call) => call.arguments.todo_id === id)) : todos
  const verb = { complete: 'Completed', reopen: 'Reopened', delete: 'Deleted' }[kind]
  return [...(ended.length > 0 ? [changed(verb, ended)] : []), ...errors].join('\n')
}

const BEYOND = 'You have more such todos than I can reach with one message: say it again afterwards for the rest.'
const together = (text: string, { complete }: Extract<Target, { kind: 'found' }>) => (complete ? text : `${text}\n${BEYOND}`)

/** A read-only token fails at the first of many calls as it would at all of them. */
const tried = ({ ctx }: Scene, calls: readonly Call[]) => (ctx.actor.readOnly ? calls.slice(0, 1) : calls)

/** Changes what a clause's slots say. */
export async function change(scene: Scene, text: string, weak: boolean, said: Said): Promise<string> {
  if (RELATIVE.test(text)) return 'By how much shall I move it? Say, for example, “move it two days later”.'
  const { slots, rest } = await readChange(text, scene.moment)
  const reference = rest.replace(/\s+(?:to|as|for|on|at|by|with|is|due|and|until|a|an|be|from)$/i, '')
  if (!slots.when && !slots.priority && slots.tags.length === 0) {
    return guess(scene, text, weak, said)
  }
  const target = await targetsOf(scene, said, reference, 'change')
  if (target.kind === 'none' && weak) return add(scene, said.clause, false, said)
  return update(scene, said, target, (todo) => ({
    ...fieldsOf({ ...slots, when: slots.when && keepDay(slots.when, todo) }, scene.moment),
    ...(slots.tags.length > 0 ? { tags: [...new Set([...todo.tags, ...slots.tags])] } : {}),
  }))
}

/** An amount that no pattern could read: a date parser would count it from today. */
const RELATIVE = /\b(?:minute|hour|day|week|month|year)s?\s+(?:earlier|sooner|later)\b/i

/** “Change buy milk to buy oat milk” says the whole title, and is a new one. “Change milk to oat milk” may be one, and is asked about. */
async function guess(scene: Scene, text: string, weak: boolean, said: Said): Promise<string> {
  const [, reference = '', masked = ''] = /^(.+?)\s+(?:to|into)\s+(.+)$/i.exec(text) ?? []
  const title = said.unmask(masked)
  const isTitled = reference !== '' && /^(?:change|update|edit|set|make)\b/i.test(said.clause)
  const target = isTitled ? await targetsOf(scene, said, reference, 'change') : undefined
  if (target?.kind === 'which') return ask(scene, said, target)
  const [todo, ...others] = target?.kind === 'found' ? target.todos : []
  if (target && todo && others.length === 0) {
    const isWhole = todo.title.toLowerCase() === said.unmask(reference).toLowerCase()
    if (isWhole || scene.ctx.actor.readOnly) return rename(scene, said, target, title)
    scene.waiting.push({ name: 'update_task', arguments: { todo_id: todo.id, title } })
    return ''
  }
  if (weak) return add(scene, said.clause, false, said)
  return `What shall I change about ${quoted(said.unmask(text))}? If it is something to do, say ${quoted(`add ${said.unmask(said.clause)}`)}.`
}

/** Gives one todo a new title. */
export async function rename(scene: Scene, said: Said, of: string | Target, title: string): Promise<string> {
  const target = typeof of === 'string' ? await targetsOf(scene, said, of, 'change') : of
  if (target.kind === 'found' && target.todos.length > 1) return 'Todos are renamed one at a time: which one do you mean?'
  return update(scene, said, target, () => ({ title }), 'Renamed it to')
}

/** In "everything due today to tomorrow" the day before the last "to" says which, and the one after it where to. */
async function readChange(text: string, moment: Moment): Promise<{ slots: Slots; rest: string }> {
  const said = text.replace(/['’]s(?=\s+(?:due|deadline|date|time|prio|priority|tags?)\b)/i, '')
  const [, which, where] = /^(.+)\s+(?:to|until|till|for)\s+(.+)$/i.exec(said) ?? []
  if (which && where && isEvery(which)) {
    const slots = await takeSlots(where, moment)
    if (slots.when && slots.rest === '') return { slots, rest: which }
  }
  const slots = await takeSlots(said, moment)
  return { slots, rest: slots.rest }
}

/** A time alone moves a todo within its day. */
const keepDay = (when: NonNullable<Slots['when']>, { due_date }: Match) =>
  when.daySaid || due_date === null ? when : { ...when, date: due_date }

/** Changes every todo that is meant, but those for which `changes` has no answer. */
export async function update(
  scene: Scene,
  said: Said,
  of: string | Target,
  changes: (todo: Match) => Record<string, unknown> | undefined,
  verb = 'Changed',
): Promise<string> {
  const target = typeof of === 'string' ? await targetsOf(scene, said, of, 'change') : of
  if (target.kind === 'none') return target.why
  if (target.kind === 'which') return ask(scene, said, target)
  const calls: Call[] = []
  const left: Match[] = []
  for (const todo of target.todos) {
    const fields = changes(todo)
    if (fields) calls.push({ name: 'update_task', arguments: { todo_id: todo.id, ...fields } })
    else left.push(todo)
  }
  const stays =
    left.length === 0 ? [] : [`${enumerate(left.map(({ title }) => title))} has no day or time to count from, and stays as it is.`]
  if (calls.length === 0) return stays.join('')
  if (calls.length > MAX_AT_ONCE && !scene.ctx.actor.readOnly)
    return [together(await runMany(scene, calls, target.todos), target), ...stays].join('\n')
  const { todos, errors } = await run(scene, tried(scene, calls))
  return [...(todos.length > 0 ? [changed(verb, todos)] : []), ...stays, ...errors].join('\n')
}
