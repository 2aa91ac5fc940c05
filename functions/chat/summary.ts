// Summaries of calls in English: after a confirmation, and when a request ends early.
import type { StoredCall } from '../../shared/conversations/conversations.ts'
import { oneLine } from '../../shared/core/text.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'
import { isUnknown } from './outcome.ts'
import type { Call } from './toolbox.ts'

const summaryLimits = {
  /** Named in one sentence; the rest is counted. */
  titles: 10,
  /** Different reasons of failed calls. */
  reasons: 3,
}

/** The part of a todo that a summary needs. */
export type Outcome = Pick<Todo, 'id' | 'title' | 'completed'>

/** Reads without a schema, for speed: an answer may have 10,000 results, all from our own operations. */
export function outcomeOf(result: unknown): Outcome | undefined {
  if (result === null || typeof result !== 'object' || !('id' in result && 'title' in result && 'completed' in result)) return undefined
  const { id, title, completed } = result
  return typeof id === 'string' && typeof title === 'string' && typeof completed === 'boolean' ? { id, title, completed } : undefined
}

/** The titles of the todos in results, by id. */
function titlesIn(calls: readonly StoredCall[]): Map<string, string> {
  const titles = new Map<string, string>()
  for (const { result } of calls) {
    const listed: unknown = result !== null && typeof result === 'object' && 'todos' in result ? result.todos : undefined
    for (const part of Array.isArray(listed) ? listed : [result]) {
      const todo = outcomeOf(part)
      if (todo) titles.set(todo.id, todo.title)
    }
  }
  return titles
}

export function todosIn(result: unknown): Todo[] {
  if (outcomeOf(result)) {
    const todo = Todo.safeParse(result)
    return todo.success ? [todo.data] : []
  }
  return TodoPage.safeParse(result).data?.todos ?? []
}

/**
 * Sentences such as `Done: added “Milk”; deleted “Bread”, “Eggs”. I may have added “Tea”: …`, or `Nothing was changed.`
 * `known` holds titles by id for todos that are in no result.
 */
export function summarizeCalls(calls: readonly StoredCall[], known: ReadonlyMap<string, string> = new Map()): string {
  const titles = new Map([...known, ...titlesIn(calls)])
  const done = phrasesOf(
    calls.filter(({ is_error, settled }) => settled && !is_error),
    titles,
  )
  const sentences = [...(done ? [`Done: ${done}.`] : []), ...summarizeUnknown(calls, titles)]
  return sentences.length > 0 ? sentences.join(' ') : 'Nothing was changed.'
}

/** A sentence about the calls with an unknown outcome; empty without any. */
export function summarizeUnknown(calls: readonly StoredCall[], titles: ReadonlyMap<string, string> = new Map()): string[] {
  const unknown = phrasesOf(calls.filter(isUnknown), titles)
  return unknown ? [`I may have ${unknown}: I was interrupted before that was confirmed. Look before you try again.`] : []
}

/** Whether a call has written, or has an unknown outcome. */
export const mayHaveChanged = (calls: readonly StoredCall[]) =>
  calls.some((call) => pastTense(call) !== undefined && (isUnknown(call) || !call.is_error))

/** Calls that write, as `added “Milk”; deleted “Bread” and “Eggs”`; empty without any. */
function phrasesOf(calls: readonly StoredCall[], titles: ReadonlyMap<string, string>): string {
  const phrases = new Map<string, (string | undefined)[]>()
  for (const call of calls) {
    const verb = pastTense(call)
    if (!verb) continue
    const { title: given, todo_id } = call.arguments
    const title = outcomeOf(call.result)?.title ?? titles.get(String(todo_id ?? '')) ?? (typeof given === 'string' ? given : undefined)
    phrases.set(verb, phrases.get(verb) ?? [])
    phrases.get(verb)?.push(title)
  }
  const counted = (named: readonly (string | undefined)[]) => {
    const isLong = named.length > summaryLimits.titles && named.some((title) => title !== undefined)
    return `${isLong ? `${named.length} todos: ` : ''}${enumerate(named)}`
  }
  return [...phrases].map(([verb, named]) => `${verb} ${counted(named)}`).join('; ')
}

/** Sentences about failed calls, with reasons, and calls that did not run; empty when all succeeded. `of`: how many calls were given. */
export function summarizeUndone(calls: readonly StoredCall[], of: number): string[] {
  const failed = calls.filter((call) => call.is_error && !isUnknown(call))
  const reasons = [...new Set(failed.map(({ result }) => reasonOf(result)))].slice(0, summaryLimits.reasons)
  const left = of - calls.length
  return [
    ...(failed.length > 0 ? [`${failed.length} of ${of} could not be done: ${reasons.join(' ')}`] : []),
    ...(left > 0 ? [`${left} of ${of} are not done yet, because this took too long. Say it again to go on.`] : []),
  ]
}

export const reasonOf = (result: unknown) =>
  result !== null && typeof result === 'object' && 'error' in result ? String(result.error) : ''

/** The question about held calls, such as `This would delete 2 todos: “Bread” and “Eggs”. … (yes / no)` */
export function askToConfirm(calls: readonly Call[], titles: ReadonlyMap<string, string>): string {
  const all = [...byVerb(calls)].map(([verb, group]) => {
    if (verb === RENAME) return renames(group, titles)
    const named = group.map(({ arguments: given }) => titles.get(String(given.todo_id)))
    return `${verb} ${named.length} ${named.length === 1 ? 'todo' : 'todos'}: ${enumerate(named)}`
  })
  return `This would ${all.join('; and ')}. Nothing of it is done yet. Shall I go ahead? (yes / no)`
}

const RENAME = 'rename'
const renames = (calls: readonly Call[], titles: ReadonlyMap<string, string>) =>
  calls
    .map(({ arguments: given }) => `rename ${enumerate([titles.get(String(given.todo_id))])} to ${quoted(String(given.title))}`)
    .join('; and ')

/** The calls whose todos a summary names by title. */
export const namedAmong = (calls: readonly Call[]): Call[] =>
  [...byVerb(calls).values()].flatMap((group) => group.slice(0, summaryLimits.titles))

function byVerb(calls: readonly Call[]): Map<string, Call[]> {
  const groups = new Map<string, Call[]>()
  for (const call of calls) {
    const isRename = call.name === 'update_task' && call.arguments.completed !== true
    const changes = Object.keys(call.arguments).some((key) => !COMPLETION.has(key))
    const verb = call.name === 'delete_task' ? 'delete' : isRename ? RENAME : changes ? 'complete and change' : 'complete'
    groups.set(verb, groups.get(verb) ?? [])
    groups.get(verb)?.push(call)
  }
  return groups
}

/** The arguments of a call that only completes a todo. */
const COMPLETION = new Set(['todo_id', 'completed'])

export const quoted = (title: string) => `“${oneLine(title)}”`

/** Titles as “A”, “B” and 3 more. An unknown title is only counted. */
export function enumerate(titles: readonly (string | undefined)[]): string {
  const known = titles.filter((title) => title !== undefined).slice(0, summaryLimits.titles)
  const rest = titles.length - known.length
  if (known.length === 0) return rest === 1 ? 'a todo' : `${rest} todos`
  const parts = [...known.map(quoted), ...(rest > 0 ? [`${rest} more`] : [])]
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

function pastTense({ name, arguments: given, result }: StoredCall): string | undefined {
  switch (name) {
    case 'add_task':
      return 'added'
    case 'delete_task':
      return 'deleted'
    case 'complete_task':
      return (outcomeOf(result)?.completed ?? given.completed) === false ? 'reopened' : 'completed'
    case 'update_task':
      return given.completed === true ? 'completed' : 'changed'
    case 'list_tasks':
    case 'get_task':
      return undefined
    default:
      return `called ${name} on`
  }
}
