// Step 7: from an intent to calls. What a call needs is known before any of them runs: a reference that may mean several todos becomes a
// question, deleting more than one waits for a yes.
import { randomUUID } from 'node:crypto'
import type { StoredCall } from '../../../shared/operations/conversations.ts'
import { UNCONFIRMED_ENDINGS } from '../../../shared/operations/endings.ts'
import type { Todo } from '../../../shared/operations/todo-schemas.ts'
import { getTodo } from '../../../shared/operations/todos.ts'
import type { Named } from '../state.ts'
import { todosIn } from '../told.ts'
import type { Call } from '../toolbox.ts'
import { filterOf } from './filters.ts'
import type { Intent } from './intent.ts'
import type { Talk } from './interpret.ts'
import { readItems } from './items.ts'
import { ordinalsIn } from './ordinals.ts'
import { type Moment, type Slots, takeSlots, takeTags } from './slots.ts'
import { findTargets, isOverdue, type Target, trimReference } from './targets.ts'
import { added, changed, counted, describe, HELLO, HELP, listed, SHOWN, UNCLEAR, WELCOME, which } from './wording.ts'

export type Scene = Talk & {
  moment: Moment
  /** What this answer leaves behind. */
  state: Talk['before']
  /** Calls that wait for a yes. */
  waiting: Call[]
  /** The message deletes in several places: none of it without a yes. */
  asksBeforeDeleting: boolean
}
export type Said = {
  clause: string
  unmask: (text: string) => string
  /** What the user has chosen when asked which todo was meant. */
  chosen: readonly Named[] | undefined
}

/** Does what one clause wants, and returns what to say about it. */
export async function act(scene: Scene, intent: Intent, said: Said): Promise<string> {
  switch (intent.kind) {
    case 'help':
      return HELP
    case 'hello':
      return HELLO
    case 'thanks':
      return WELCOME
    case 'unclear':
      return UNCLEAR
    case 'add':
      return add(scene, intent.text, intent.many, said)
    case 'list':
    case 'count':
      return list(scene, intent.text, intent.kind === 'count', said)
    case 'complete':
    case 'reopen':
    case 'delete':
      return end(scene, intent, said)
    case 'rename':
      return update(scene, said, intent.target, () => ({ title: said.unmask(intent.title) }), 'Renamed it to')
    case 'describe':
      return update(scene, said, intent.target, () => ({ description: said.unmask(intent.description) }))
    case 'clear':
      return update(scene, said, intent.target, () => ({
        [intent.field]: null,
        ...(intent.field === 'due_date' ? { due_time: null } : {}),
      }))
    case 'untag': {
      const gone = new Set(takeTags(/#/.test(intent.tags) ? intent.tags : intent.tags.replace(/^the\s+/i, '')).tags)
      return update(scene, said, intent.target, ({ tags }) => ({ tags: tags.filter((tag) => !gone.has(tag)) }))
    }
    case 'change':
      return change(scene, intent.text, intent.weak ?? false, said)
  }
}

async function add(scene: Scene, text: string, many: boolean, { unmask }: Said): Promise<string> {
  const items = await readItems(text, many, scene.moment)
  if (items.length === 0) return 'What shall I add?'
  const calls = items.map(({ title, description, ...slots }) => ({
    name: 'add_task',
    arguments: { title: unmask(title), ...(description ? { description: unmask(description) } : {}), ...fieldsOf(slots, scene.moment) },
  }))
  const { todos, errors } = await run(scene, calls)
  const repeats = items.some(({ title }) => REPEATS.test(title)) ? ['I cannot repeat todos yet: it is there once.'] : []
  return [...todos.map(added), ...repeats, ...errors].join('\n')
}

const REPEATS =
  /\b(?:every|each)\s+(?:other\s+)?(?:day|week|month|year|weekday|morning|evening|night|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b/i

async function list(scene: Scene, text: string, counts: boolean, { unmask }: Said): Promise<string> {
  const places = ordinalsIn(trimReference(text), scene.state.shown.length)?.map((place) => scene.state.shown[place - 1])
  if (!counts && places?.length && places.every((todo) => todo !== undefined)) {
    const { todos, errors } = await run(
      scene,
      places.map(({ id }) => ({ name: 'get_task', arguments: { todo_id: id } })),
    )
    return [...todos.map((todo) => [describe(todo), ...(todo.description ? [todo.description] : [])].join('\n')), ...errors].join('\n')
  }
  const filter = await filterOf(text, scene.moment, unmask)
  const { input } = filter
  let answer = await show(scene, { name: 'list_tasks', arguments: { ...input, ...(counts ? { limit: 500 } : {}) } })
  // "show shopping tasks" may mean the tag.
  if (answer.todos.length === 0 && !answer.error && input.q && !input.tag && !/\s/.test(input.q)) {
    const { q, ...others } = input
    const byTag = await show(scene, { name: 'list_tasks', arguments: { ...others, tag: q.toLowerCase() } })
    if (byTag.todos.length > 0) {
      answer = byTag
      filter.input = { ...others, tag: q.toLowerCase() }
    }
  }
  if (answer.error) return answer.error
  const todos = filter.overdue ? answer.todos.filter((todo) => isOverdue(todo, scene.moment)) : answer.todos
  if (counts) return counted(todos, filter, answer.more)
  scene.state.shown = todos.slice(0, SHOWN).map(named)
  scene.state.focus = todos.length === 1 ? todos.map(named) : []
  return listed(todos, filter, answer.more)
}

async function end(scene: Scene, intent: Extract<Intent, { kind: 'complete' | 'reopen' | 'delete' }>, said: Said): Promise<string> {
  const { kind, weak } = intent
  // "finish the report by friday" is a plan.
  if (weak && kind === 'complete' && !said.chosen && (await takeSlots(intent.target, scene.moment)).when)
    return add(scene, said.clause, false, said)
  const target = await targetsOf(scene, said, intent.target, kind)
  if (target.kind === 'none' && weak && kind === 'delete') return add(scene, said.clause, false, said)
  if (target.kind === 'none') return target.why
  if (target.kind === 'which') return ask(scene, said, target.candidates)
  const calls = target.todos.map(({ id }) =>
    kind === 'delete'
      ? { name: 'delete_task', arguments: { todo_id: id } }
      : { name: 'complete_task', arguments: { todo_id: id, completed: kind === 'complete' } },
  )
  const waits = kind === 'delete' ? calls.length > 1 || scene.asksBeforeDeleting : kind === 'complete' && calls.length > UNCONFIRMED_ENDINGS
  if (waits && !scene.ctx.actor.readOnly) {
    scene.waiting.push(...calls)
    return ''
  }
  const { done, todos, errors } = await run(scene, calls)
  const ended = kind === 'delete' ? target.todos.filter(({ id }) => done.some((call) => call.arguments.todo_id === id)) : todos
  const verb = { complete: 'Completed', reopen: 'Reopened', delete: 'Deleted' }[kind]
  return [...(ended.length > 0 ? [changed(verb, ended)] : []), ...errors].join('\n')
}

async function change(scene: Scene, text: string, weak: boolean, said: Said): Promise<string> {
  const slots = await takeSlots(text, scene.moment)
  const reference = slots.rest.replace(/\s+(?:to|as|for|on|at|by|with|is|due|and|until|a|an|be|from)$/i, '')
  if (!slots.when && !slots.priority && slots.tags.length === 0) {
    const [, target, title] = /^(.+?)\s+(?:to|into|with|by)\s+(.+)$/i.exec(text) ?? []
    if (target && title) return update(scene, said, target, () => ({ title: said.unmask(title) }), 'Renamed it to')
    return weak ? add(scene, said.clause, false, said) : `What shall I change about “${said.unmask(text)}”?`
  }
  const target = await targetsOf(scene, said, reference, 'change')
  if (target.kind === 'none' && weak) return add(scene, said.clause, false, said)
  return update(scene, said, target, (todo) => ({
    ...fieldsOf({ ...slots, when: slots.when && keepDay(slots.when, todo) }, scene.moment),
    ...(slots.tags.length > 0 ? { tags: [...new Set([...todo.tags, ...slots.tags])] } : {}),
  }))
}

/** A time alone moves a todo within its day. */
const keepDay = (when: NonNullable<Slots['when']>, { due_date }: Todo) =>
  when.daySaid || due_date === null ? when : { ...when, date: due_date }

async function update(
  scene: Scene,
  said: Said,
  of: string | Target,
  changes: (todo: Todo) => Record<string, unknown>,
  verb = 'Changed',
): Promise<string> {
  const target = typeof of === 'string' ? await targetsOf(scene, said, of, 'change') : of
  if (target.kind === 'none') return target.why
  if (target.kind === 'which') return ask(scene, said, target.candidates)
  const { todos, errors } = await run(
    scene,
    target.todos.map((todo) => ({ name: 'update_task', arguments: { todo_id: todo.id, ...changes(todo) } })),
  )
  return [...(todos.length > 0 ? [changed(verb, todos)] : []), ...errors].join('\n')
}

async function targetsOf(
  scene: Scene,
  { unmask, chosen }: Said,
  reference: string,
  kind: 'complete' | 'reopen' | 'delete' | 'change',
): Promise<Target> {
  const { ctx, moment, state } = scene
  if (chosen) {
    const found = await Promise.all(chosen.map(({ id }) => getTodo(ctx, { todo_id: id }).catch(() => undefined)))
    const todos = found.filter((todo) => todo !== undefined)
    return todos.length > 0 ? { kind: 'found', todos } : { kind: 'none', why: 'It is gone already.' }
  }
  const status = kind === 'reopen' ? 'completed' : 'pending'
  return findTargets({ ctx, moment, state, unmask, status, every: kind === 'delete' ? undefined : status }, reference)
}

function ask(scene: Scene, { clause, unmask }: Said, candidates: readonly Todo[]): string {
  const offered = candidates.slice(0, SHOWN).map(named)
  scene.state.shown = offered
  scene.state.choice = { clause: unmaskQuoted(clause, unmask), candidates: offered }
  return which(candidates)
}

/** The clause as it was said: with its quotations in quotation marks again. */
function unmaskQuoted(clause: string, unmask: (text: string) => string): string {
  return clause.replace(/[\ue000-\uf8ff]/gu, (mark) => `"${unmask(mark).replaceAll('"', "'")}"`)
}

function fieldsOf({ when, priority, tags }: Omit<Slots, 'rest'>, { zone }: Moment): Record<string, unknown> {
  return {
    ...(when ? { due_date: when.date } : {}),
    ...(when?.time ? { due_time: when.time, ...(zone.known ? { time_zone: zone.name } : {}) } : {}),
    ...(priority ? { priority } : {}),
    ...(tags.length > 0 ? { tags } : {}),
  }
}

/** Runs calls and remembers what they were about. A read-only token has no tool that writes: it is told so. */
async function run({ ctx, journal, toolbox, state }: Scene, calls: readonly Call[]) {
  const reads = calls.map((call) => toolbox.read(`call_${randomUUID()}`, call.name, call.arguments))
  const stored: StoredCall[] = reads.map(({ call }) => call)
  const row = await journal.add('assistant', { calls: stored })
  await toolbox.run(reads, () => journal.fill(row, { calls: stored }))
  const done = stored.filter(({ is_error }) => !is_error)
  const failed = stored.filter(({ is_error }) => is_error)
  const todos = done.flatMap(({ result }) => todosIn(result))
  if (calls.some(({ name }) => name !== 'list_tasks') && todos.length > 0) state.focus = todos.map(named)
  const reasons = new Set(ctx.actor.readOnly ? ['this access token may only read'] : failed.map(({ result }) => reasonOf(result)))
  return { stored, done, todos, errors: failed.length > 0 ? [`I could not do that: ${[...reasons].join(' ')}`] : [] }
}

async function show(scene: Scene, call: Call) {
  const { stored, todos, errors } = await run(scene, [call])
  const result = stored[0]?.result
  const more = result !== null && typeof result === 'object' && 'next_cursor' in result && result.next_cursor !== null
  return { todos, more, error: errors[0] }
}

const reasonOf = (result: unknown) => (result !== null && typeof result === 'object' && 'error' in result ? String(result.error) : '')
const named = ({ id, title }: Named): Named => ({ id, title })
