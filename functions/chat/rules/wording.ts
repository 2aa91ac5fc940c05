// How the interpreter says what it did and what there is.
import { oneLine } from '../../../shared/core/text.ts'
import type { Todo } from '../../../shared/todos/schema.ts'
import { enumerate, quoted } from '../summary.ts'
import { dayInWords } from './dates.ts'
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
export const NOTHING_PENDING = 'Nothing is pending: there is no question of mine to answer. This changed nothing.'
export const beyond = (shown: number) => `The list that I showed last has ${shown === 1 ? 'one entry' : `${shown} entries`} only.`
export const UNCLEAR = 'I am not sure what you would like me to do with your todos. Say “help” for what I understand.'

/** As much of a todo as naming, filtering and changing it needs: “everything” keeps 10,000 of them in memory. */
export type Match = Omit<Todo, 'user_id' | 'description' | 'created_at' | 'updated_at'>

/** A todo in one line, such as `buy milk: due Fri 15 Jan 2027 at 17:00, high priority, #shopping`. */
function describe(todo: Match): string {
  const details = detailsOf(todo)
  return `${todo.completed ? '✓ ' : ''}${oneLine(todo.title)}${details ? ` (${details})` : ''}`
}

/** A todo and its description, each line of which is marked as a quotation. */
export function inFull(todo: Todo): string {
  const lines = todo.description?.split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/) ?? []
  return [describe(todo), ...lines.map((line) => `> ${oneLine(line)}`)].join('\n')
}

function detailsOf({ due_date, due_time, priority, tags }: Pick<Todo, 'due_date' | 'due_time' | 'priority' | 'tags'>): string {
  const due = due_date === null ? [] : [`due ${dayInWords(due_date)}${due_time === null ? '' : ` at ${due_time}`}`]
  return [...due, ...(priority ? [`${priority} priority`] : []), ...tags.map((tag) => `#${oneLine(tag)}`)].join(', ')
}

/** What a list found: the first of them, and how many there are; `complete` is false when there are more than were counted. */
export type Finding = { first: readonly Match[]; count: number; complete: boolean }

export function listed({ first, count, complete }: Finding, filter: Filter): string {
  const lines = first.slice(0, SHOWN).map((todo, index) => `${index + 1}. ${describe(todo)}`)
  const rest = count > lines.length ? [`… and ${complete ? `${count - lines.length} ` : ''}more.`] : []
  return count === 0
    ? counted({ first, count, complete }, filter)
    : [`You have ${asked(count, complete, filter)}:`, ...lines, ...rest].join('\n')
}

export function counted({ count, complete }: Finding, filter: Filter): string {
  if (count === 0 && !complete) return `I found ${asked(count, true, filter)}, but I have not looked through all that you have.`
  return `You have ${asked(count, complete, filter)}.`
}

/** Describes the requested list, such as `2 todos due this week about “rent”`. */
function asked(count: number, complete: boolean, { label, period, input }: Filter): string {
  return [
    `${count === 0 ? 'no' : count}${complete ? '' : ' or more'}`,
    label,
    count === 1 && complete ? 'todo' : 'todos',
    period,
    ...(input.priority ? [`with ${input.priority} priority`] : []),
    ...(input.tag ? [`tagged #${oneLine(input.tag)}`] : []),
    ...(input.q ? [`about ${quoted(input.q)}`] : []),
  ]
    .filter(Boolean)
    .join(' ')
}

export function which({ first, count, complete }: Finding): string {
  const lines = first.slice(0, SHOWN).map((todo, index) => `${index + 1}. ${describe(todo)}`)
  const more = `These are the first ${lines.length} of ${count}${complete ? '' : ' or more'}: name yours more exactly, or choose among these (“all” means these ${lines.length}).`
  return [`Which one do you mean?${count > lines.length ? ` ${more}` : ''}`, ...lines].join('\n')
}

export function added(todo: Todo): string {
  const details = detailsOf(todo)
  return `Added ${quoted(todo.title)}${details ? `, ${details}` : ''}.`
}

export function changed(verb: string, todos: readonly Match[]): string {
  const [only] = todos
  if (todos.length === 1 && only && verb === 'Changed')
    return `Changed ${quoted(only.title)}: ${detailsOf(only) || 'no day, no priority, no tags'}.`
  return `${verb} ${enumerate(todos.map(({ title }) => title))}.`
}
