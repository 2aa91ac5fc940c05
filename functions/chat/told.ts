// What was done, in words: told after a confirmation, and whenever something ends before its time.
import type { StoredCall } from '../../shared/operations/conversations.ts'
import { Todo, TodoPage } from '../../shared/operations/todo-schemas.ts'
import { isUnknown } from './outcome.ts'
import type { Call } from './toolbox.ts'

/** Titles named in one sentence before the rest is only counted. */
const NAMED = 10

/** The todos that results have told of, by id. */
export function titlesIn(calls: readonly StoredCall[]): Map<string, string> {
  return new Map(calls.flatMap(({ result }) => todosIn(result)).map(({ id, title }) => [id, title]))
}

export function todosIn(result: unknown): Todo[] {
  const todo = Todo.safeParse(result)
  if (todo.success) return [todo.data]
  return TodoPage.safeParse(result).data?.todos ?? []
}

/**
 * Sentences such as `Done: added “Milk”; deleted “Bread”, “Eggs”. I may have added “Tea”: …`, or that nothing was changed.
 * `known` has titles by id that the results do not tell.
 */
export function tellDone(calls: readonly StoredCall[], known: ReadonlyMap<string, string> = new Map()): string {
  const titles = new Map([...known, ...titlesIn(calls)])
  const done = phrasesOf(
    calls.filter(({ is_error, settled }) => settled && !is_error),
    titles,
  )
  const sentences = [...(done ? [`Done: ${done}.`] : []), ...tellUnknown(calls, titles)]
  return sentences.length > 0 ? sentences.join(' ') : 'Nothing was changed.'
}

/** A sentence about the calls that may have been done, if there are any. */
export function tellUnknown(calls: readonly StoredCall[], titles: ReadonlyMap<string, string> = new Map()): string[] {
  const unknown = phrasesOf(calls.filter(isUnknown), titles)
  return unknown ? [`I may have ${unknown}: I was interrupted before that was confirmed. Look before you try again.`] : []
}

/** Whether any of the calls has changed something, or may have. */
export const mayHaveChanged = (calls: readonly StoredCall[]) =>
  calls.some((call) => pastTense(call) !== undefined && (isUnknown(call) || !call.is_error))

/** Calls that write, as `added “Milk”; deleted “Bread” and “Eggs”`; empty when there are none. */
function phrasesOf(calls: readonly StoredCall[], titles: ReadonlyMap<string, string>): string {
  const phrases = new Map<string, string[]>()
  for (const call of calls) {
    const verb = pastTense(call)
    if (!verb) continue
    const { title: given, todo_id } = call.arguments
    const title = todosIn(call.result)[0]?.title ?? titles.get(String(todo_id ?? '')) ?? (typeof given === 'string' ? given : undefined)
    phrases.set(verb, [...(phrases.get(verb) ?? []), title === undefined ? 'a todo' : quoted(title)])
  }
  return [...phrases].map(([verb, named]) => `${verb} ${enumerate(named)}`).join('; ')
}

/** A question about calls that wait, such as `This would delete “Bread” and “Eggs”. Shall I? (yes/no)` */
export function askToConfirm(calls: readonly Call[], titles: ReadonlyMap<string, string>): string {
  const phrases = new Map<string, string[]>()
  for (const { name, arguments: given } of calls) {
    const verb = name === 'delete_task' ? 'delete' : Object.keys(given).some((key) => !ENDING.has(key)) ? 'complete and change' : 'complete'
    const title = titles.get(String(given.todo_id))
    phrases.set(verb, [...(phrases.get(verb) ?? []), title === undefined ? 'a todo' : quoted(title)])
  }
  const all = [...phrases].map(([verb, named]) => `${verb} ${named.length} ${named.length === 1 ? 'todo' : 'todos'}: ${enumerate(named)}`)
  return `This would ${all.join('; and ')}. Nothing of it is done yet. Shall I go ahead? (yes / no)`
}

/** What a call needs that completes a todo and nothing else. */
const ENDING = new Set(['todo_id', 'completed'])

export const quoted = (title: string) => `“${title}”`

export function enumerate(items: readonly string[], and = 'and'): string {
  const named = items.length > NAMED ? [...items.slice(0, NAMED), `${items.length - NAMED} more`] : items
  return named.length < 2 ? named.join('') : `${named.slice(0, -1).join(', ')} ${and} ${named.at(-1)}`
}

function pastTense({ name, arguments: given, result }: StoredCall): string | undefined {
  switch (name) {
    case 'add_task':
      return 'added'
    case 'delete_task':
      return 'deleted'
    case 'complete_task':
      return todosIn(result)[0]?.completed === false ? 'reopened' : 'completed'
    case 'update_task':
      return given.completed === true ? 'completed' : 'changed'
    case 'list_tasks':
    case 'get_task':
      return undefined
    default:
      return `called ${name} on`
  }
}
