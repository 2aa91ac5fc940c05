// What was done, in words: told after a confirmation, and whenever something ends before its time.
import type { StoredCall } from '../../shared/operations/conversations.ts'
import { oneLine } from '../../shared/operations/text.ts'
import { Todo, TodoPage } from '../../shared/operations/todo-schemas.ts'
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

/** A sentence such as `Done: added “Milk”; deleted “Bread”, “Eggs”.`, or that nothing was changed. */
export function tellDone(calls: readonly StoredCall[], known: ReadonlyMap<string, string> = new Map()): string {
  const titles = new Map([...known, ...titlesIn(calls)])
  const phrases = new Map<string, string[]>()
  for (const call of calls) {
    const verb = call.is_error || !call.settled ? undefined : pastTense(call)
    if (!verb) continue
    const id = String(call.arguments.todo_id ?? '')
    const title = todosIn(call.result)[0]?.title ?? titles.get(id)
    phrases.set(verb, [...(phrases.get(verb) ?? []), title === undefined ? 'a todo' : quoted(title)])
  }
  if (phrases.size === 0) return 'Nothing was changed.'
  return `Done: ${[...phrases].map(([verb, named]) => `${verb} ${enumerate(named)}`).join('; ')}.`
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

export const quoted = (title: string) => `“${oneLine(title)}”`

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
