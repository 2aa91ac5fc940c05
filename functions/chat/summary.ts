// What was done, in words: told after a confirmation, and whenever something ends before its time.
import type { StoredCall } from '../../shared/conversations/conversations.ts'
import { oneLine } from '../../shared/core/text.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'
import { isUnknown } from './outcome.ts'
import type { Call } from './toolbox.ts'

/** Titles named in one sentence before the rest is only counted. */
const NAMED = 10

/** What a result says about a todo: enough to name it. */
export type Outcome = Pick<Todo, 'id' | 'title' | 'completed'>

/** Read without a schema: an answer may have 10,000 results, and all of them are our own. */
export function outcomeOf(result: unknown): Outcome | undefined {
  if (result === null || typeof result !== 'object' || !('id' in result && 'title' in result && 'completed' in result)) return undefined
  const { id, title, completed } = result
  return typeof id === 'string' && typeof title === 'string' && typeof completed === 'boolean' ? { id, title, completed } : undefined
}

/** The titles of the todos in results, by id. */
export function titlesIn(calls: readonly StoredCall[]): Map<string, string> {
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
 * Sentences such as `Done: added “Milk”; deleted “Bread”, “Eggs”. I may have added “Tea”: …`, or that nothing was changed.
 * `known` has titles by id that the results do not tell.
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

/** A sentence about the calls that may have been done, if there are any. */
export function summarizeUnknown(calls: readonly StoredCall[], titles: ReadonlyMap<string, string> = new Map()): string[] {
  const unknown = phrasesOf(calls.filter(isUnknown), titles)
  return unknown ? [`I may have ${unknown}: I was interrupted before that was confirmed. Look before you try again.`] : []
}

/** Whether any of the calls has changed something, or may have. */
export const mayHaveChanged = (calls: readonly StoredCall[]) =>
  calls.some((call) => pastTense(call) !== undefined && (isUnknown(call) || !call.is_error))

/** Calls that write, as `added “Milk”; deleted “Bread” and “Eggs”`; empty when there are none. */
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
    const isLong = named.length > NAMED && named.some((title) => title !== undefined)
    return `${isLong ? `${named.length} todos: ` : ''}${enumerate(named)}`
  }
  return [...phrases].map(([verb, named]) => `${verb} ${counted(named)}`).join('; ')
}

/** What did not work, and why, in words; empty when all of it did. `of` is how many calls were to run. */
export function summarizeUndone(calls: readonly StoredCall[], of: number): string[] {
  const failed = calls.filter((call) => call.is_error && !isUnknown(call))
  const reasons = [...new Set(failed.map(({ result }) => reasonOf(result)))].slice(0, REASONS)
  const left = of - calls.length
  return [
    ...(failed.length > 0 ? [`${failed.length} of ${of} could not be done: ${reasons.join(' ')}`] : []),
    ...(left > 0 ? [`${left} of ${of} are not done yet, because this took too long. Say it again to go on.`] : []),
  ]
}

/** Different reasons that one answer gives. */
const REASONS = 3
export const reasonOf = (result: unknown) =>
  result !== null && typeof result === 'object' && 'error' in result ? String(result.error) : ''

/** A question about calls that wait, such as `This would delete 2 todos: “Bread” and “Eggs”. Shall I? (yes/no)` */
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

/** The calls whose todos a question or an answer about them all names. */
export const namedAmong = (calls: readonly Call[]): Call[] => [...byVerb(calls).values()].flatMap((group) => group.slice(0, NAMED))

function byVerb(calls: readonly Call[]): Map<string, Call[]> {
  const groups = new Map<string, Call[]>()
  for (const call of calls) {
    const isRename = call.name === 'update_task' && call.arguments.completed !== true
    const changes = Object.keys(call.arguments).some((key) => !ENDING.has(key))
    const verb = call.name === 'delete_task' ? 'delete' : isRename ? RENAME : changes ? 'complete and change' : 'complete'
    groups.set(verb, groups.get(verb) ?? [])
    groups.get(verb)?.push(call)
  }
  return groups
}

/** What a call needs that completes a todo and nothing else. */
const ENDING = new Set(['todo_id', 'completed'])

export const quoted = (title: string) => `“${oneLine(title)}”`

/** Titles as “A”, “B” and 3 more: as many as a sentence names, and of those whose title is known. */
export function enumerate(titles: readonly (string | undefined)[]): string {
  const known = titles.filter((title) => title !== undefined).slice(0, NAMED)
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
