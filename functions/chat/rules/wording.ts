// How the interpreter says what it did and what there is.
import { oneLine } from '../../../shared/operations/text.ts'
import type { Todo } from '../../../shared/operations/todo-schemas.ts'
import { enumerate, quoted } from '../told.ts'
import type { Filter } from './filters.ts'

/** Todos that a list shows before the rest is only counted: what "the 5th one" can mean. */
export const SHOWN = 25

export const HELP = `I keep your todos. Say it in your own words, for example:
• add buy milk tomorrow at 5pm #shopping p1, call mom and pay rent
• show my tasks · what is due this week? · overdue · #shopping · high priority
• complete the first one · milk is done · reopen it
• rename milk to oat milk · move it to friday · make it high priority · tag it #home
• delete the second one · how many tasks do I have left?
Put a title in quotation marks to have it taken literally.`

/** Todos or wishes in one message. */
export const MAX_AT_ONCE = 24
export const TOO_MUCH = `That is too much for me at once. Please say it in smaller pieces: up to ${MAX_AT_ONCE} todos at a time.`

export const HELLO = 'Hello! What would you like to do? Say “help” for what I understand.'
export const WELCOME = 'All right.'
export const NOTHING = 'All right: nothing was changed.'
export const UNCLEAR = 'I am not sure what you would like me to do with your todos. Say “help” for what I understand.'

/** A todo in one line, such as `buy milk: due Fri 15 Jan 2027 at 17:00, high priority, #shopping`. */
export function describe(todo: Todo): string {
  const details = detailsOf(todo)
  return `${todo.completed ? '✓ ' : ''}${oneLine(todo.title)}${details ? ` (${details})` : ''}`
}

/** A todo and its description, each line of which is marked as a quotation. */
export function inFull(todo: Todo): string {
  const lines = todo.description?.split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/) ?? []
  return [describe(todo), ...lines.map((line) => `> ${oneLine(line)}`)].join('\n')
}

export function detailsOf({ due_date, due_time, priority, tags }: Todo): string {
  const due = due_date === null ? [] : [`due ${dayInWords(due_date)}${due_time === null ? '' : ` at ${due_time}`}`]
  return [...due, ...(priority ? [`${priority} priority`] : []), ...tags.map((tag) => `#${oneLine(tag)}`)].join(', ')
}

function dayInWords(date: string): string {
  return new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' }).format(
    new Date(`${date}T00:00:00Z`),
  )
}

export function listed(todos: readonly Todo[], { label, input, completed }: Filter, more: boolean): string {
  const what = [label, todos.length === 1 && !more ? 'todo' : 'todos'].filter(Boolean).join(' ')
  const which = [
    ...(input.priority ? [`with ${input.priority} priority`] : []),
    ...(input.tag ? [`tagged #${oneLine(input.tag)}`] : []),
    ...(input.q ? [`about ${quoted(input.q)}`] : []),
  ].join(' ')
  const asked = [what, which].filter(Boolean).join(' ')
  if (todos.length === 0)
    return `You have no ${asked}${completed || input.due_after || (input.due_before && label !== 'overdue') ? ' for that time' : ''}.`
  const lines = todos.slice(0, SHOWN).map((todo, index) => `${index + 1}. ${describe(todo)}`)
  const rest = todos.length > SHOWN || more ? [`… and ${more ? 'more' : `${todos.length - SHOWN} more`}.`] : []
  return [`You have ${todos.length}${more ? ' or more' : ''} ${asked}:`, ...lines, ...rest].join('\n')
}

export function counted(todos: readonly Todo[], filter: Filter, more: boolean): string {
  return todos.length === 0 ? listed(todos, filter, more) : (listed(todos, filter, more).split('\n')[0] ?? '').replace(/:$/, '.')
}

export function which(candidates: readonly Todo[]): string {
  const lines = candidates.slice(0, SHOWN).map((todo, index) => `${index + 1}. ${describe(todo)}`)
  return ['Which one do you mean?', ...lines].join('\n')
}

export function added(todo: Todo): string {
  const details = detailsOf(todo)
  return `Added ${quoted(todo.title)}${details ? `, ${details}` : ''}.`
}

export function changed(verb: string, todos: readonly Todo[]): string {
  const [only] = todos
  if (todos.length === 1 && only && verb === 'Changed')
    return `Changed ${quoted(only.title)}: ${detailsOf(only) || 'no day, no priority, no tags'}.`
  return `${verb} ${enumerate(todos.map(({ title }) => quoted(title)))}.`
}
