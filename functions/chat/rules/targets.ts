// Step 6: which todos a reference means: words of a title, places in the list shown last, "it" and "them", or "all …".

import type { UserContext } from '../../../shared/operations/operation.ts'
import type { Todo } from '../../../shared/operations/todo-schemas.ts'
import { ListTodos } from '../../../shared/operations/todo-schemas.ts'
import { listTodos } from '../../../shared/operations/todos.ts'
import { wallClock } from '../../../shared/operations/zone.ts'
import { findTodo } from '../lookup.ts'
import type { ChatState, Named } from '../state.ts'
import { quoted } from '../told.ts'
import { today } from './dates.ts'
import { type Filter, filterOf } from './filters.ts'
import { isQuotation } from './literal.ts'
import { ordinalsIn } from './ordinals.ts'
import type { Moment } from './slots.ts'
import { distance } from './spelling.ts'

export type Target = { kind: 'found'; todos: Todo[] } | { kind: 'which'; candidates: Todo[] } | { kind: 'none'; why: string }

export type Search = {
  ctx: UserContext
  moment: Moment
  state: ChatState
  unmask: (text: string) => string
  /** Where to look first; `all` is looked through when nothing is found. */
  status: 'pending' | 'completed'
  /** Which of them "all" means; undefined for those that are done and those that are not. */
  every: 'pending' | 'completed' | undefined
}

/** Candidates worth asking about, and todos that "all" may mean. */
const MANY = 100
const SINGLE = /^(?:it|that|this|this one|that one|the (?:same|task|todo|item|one)|(?:this|that) (?:task|todo|item))$/i
const PLURAL =
  /^(?:them|those|these|both|them all|(?:all|both) of (?:them|those|these)|all (?:those|these)|(?:those|these) (?:tasks|todos|items|ones)?|(?:the )?(?:two|three) of them)$/i
const EVERY =
  /^(?:(?:all|every|everything|whole|the whole|my whole|any)\b|(?:my |the )?(?:completed|finished|done|overdue|pending|open|old completed)(?: (?:tasks?|todos?|items?|ones|stuff|things))?$|(?:my |the )?(?:today|tomorrow)['’]?s? (?:tasks|todos|items|stuff|things)$|(?:my |the )?(?:tasks|todos|items|things|stuff) (?:due|for|from|tagged)\b|(?:my |the )?(?:list|tasks|todos)$)/i

/** Whether a reference means all that match a description. */
export const isEvery = (reference: string) => EVERY.test(reference.trim())

export async function findTargets(search: Search, reference: string): Promise<Target> {
  if (isEvery(reference)) return every(search, reference.trim())
  const said = trimReference(reference)
  const { state } = search
  if (SINGLE.test(said)) return one(search, state.focus.length > 0 ? state.focus : state.shown.length === 1 ? state.shown : [])
  if (PLURAL.test(said)) return several(search, state.focus.length > 1 || state.shown.length === 0 ? state.focus : state.shown)
  if (EVERY.test(said)) return every(search, said)
  const places = ordinalsIn(said, state.shown.length)
  // "The last one", when there is no list, is what was spoken of last.
  if (places && state.shown.length === 0 && /\blast\b/i.test(said)) return one(search, state.focus)
  if (places) return byPlace(search, places)
  return byWords(search, said)
}

const NOUN = '(?:tasks?|todos?|to-?dos?|items?|reminders?|entry|things?|chores?)'
/** A reference without what only says that it is one. */
export function trimReference(reference: string): string {
  return reference
    .trim()
    .replace(/[\s.!?,]+$/u, '')
    .replace(
      new RegExp(`^(?:the |my |that |this )?${NOUN}\\s+(?:called|named|titled|about|to|with the title|for|that says|:)\\s+`, 'i'),
      '',
    )
    .replace(new RegExp(`^(?:the |my )?${NOUN}\\s+(?=[\\ue000-\\uf8ff]|(?:#|no\\.? ?|number )?\\d)`, 'iu'), '')
    .replace(new RegExp(`^(?!all\\b)(?:the\\s+|my\\s+)?(.+?)\\s+${NOUN}$`, 'i'), '$1')
    .replace(/^(?:the|my)\s+(?=\S)(?!(?:task|todo|item|one|same|last|list|tasks|todos)\b(?!.*\S\s\S))/i, '')
    .replace(/\s+(?:from|on|off)\s+(?:my|the)\s+(?:to-?do\s+)?list$/i, '')
    .trim()
}

async function present({ ctx }: Search, named: readonly Named[]): Promise<Todo[]> {
  const todos: Todo[] = []
  for (const { id } of named) {
    const todo = await findTodo(ctx, id)
    if (todo) todos.push(todo)
  }
  return todos
}

async function one(search: Search, named: readonly Named[]): Promise<Target> {
  const todos = await present(search, named)
  if (todos.length === 0) return { kind: 'none', why: 'I do not know which todo you mean. Please name it.' }
  return todos.length === 1 ? { kind: 'found', todos } : { kind: 'which', candidates: todos }
}

async function several(search: Search, named: readonly Named[]): Promise<Target> {
  const todos = await present(search, named)
  return todos.length > 0 ? { kind: 'found', todos } : { kind: 'none', why: 'I do not know which todos you mean. Please name them.' }
}

async function byPlace(search: Search, places: readonly number[]): Promise<Target> {
  const { shown } = search.state
  if (shown.length === 0) return { kind: 'none', why: 'I have not shown you a list yet. Say “show my tasks” first, or name the todo.' }
  const named = places.map((place) => shown[place - 1])
  if (named.some((todo) => todo === undefined))
    return { kind: 'none', why: `The list that I showed last has ${shown.length} entries only.` }
  return several(
    search,
    named.filter((todo) => todo !== undefined),
  )
}

async function every(search: Search, said: string): Promise<Target> {
  const { ctx, moment, unmask } = search
  const filter = await filterOf(said, moment, unmask)
  const { input } = filter
  const named = /\b(?:completed|finished|done|pending|open|unfinished|overdue)\b/i.test(said)
  const wanted = named ? input.status : search.every
  const { todos } = await listTodos(ctx, ListTodos.parse({ ...input, status: wanted, limit: MANY }))
  // "All home tasks" may mean the tag.
  const { q, ...others } = input
  if (todos.length === 0 && q && !input.tag && !/\s/.test(q))
    todos.push(...(await listTodos(ctx, ListTodos.parse({ ...others, tag: q.toLowerCase(), status: wanted, limit: MANY }))).todos)
  const kept = todos.filter((todo) => isMeant(todo, filter, moment))
  return kept.length > 0 ? { kind: 'found', todos: kept } : { kind: 'none', why: 'There are no such todos.' }
}

async function byWords(search: Search, said: string): Promise<Target> {
  const { unmask } = search
  const whole = await match(search, unmask(said), isQuotation(said))
  if (whole.length === 1) return { kind: 'found', todos: whole }
  if (whole.length > 1) return { kind: 'which', candidates: whole }
  const parts = said
    .split(/\s*,\s*(?:and\s+)?|\s+and\s+/i)
    .map(trimReference)
    .filter(Boolean)
  if (parts.length < 2) return { kind: 'none', why: `I found no todo like ${quoted(unmask(said))}.` }
  const todos: Todo[] = []
  for (const part of parts) {
    const target = await findTargets(search, part)
    if (target.kind !== 'found') return target
    todos.push(...target.todos)
  }
  return { kind: 'found', todos: [...new Map(todos.map((todo) => [todo.id, todo])).values()] }
}

const EMPTY = new Set('the a an my to for of on at in with and about task todo item one'.split(' '))

/** Todos whose titles hold all the words: the one with exactly this title, else all; else those that differ by a slip. */
async function match(search: Search, said: string, exactly: boolean): Promise<Todo[]> {
  const words = said
    .toLowerCase()
    .split(/[\s,.;:!?"“”]+/)
    .filter(Boolean)
  const terms = words.some((word) => !EMPTY.has(word)) ? words.filter((word) => !EMPTY.has(word)) : words
  const rarest = exactly ? said : (terms.toSorted((a, b) => b.length - a.length)[0] ?? said)
  for (const status of [search.status, 'all'] as const) {
    const { todos } = await listTodos(search.ctx, ListTodos.parse({ status, q: rarest.slice(0, 255), limit: 500 }))
    const inTitle = todos.filter(({ title }) => terms.every((term) => title.toLowerCase().includes(term)))
    const exact = inTitle.filter(({ title }) => title.toLowerCase() === said.toLowerCase())
    if (exact.length > 0) return exact
    if (inTitle.length > 0) return inTitle
  }
  if (exactly) return []
  const { todos } = await listTodos(search.ctx, ListTodos.parse({ status: search.status, limit: 500 }))
  return todos.filter(({ title }) => {
    const titleWords = title.toLowerCase().split(/[^\p{L}\p{N}]+/u)
    return terms.every((term) => titleWords.some((word) => isNear(term, word)))
  })
}

/** A slip of the fingers; short words have to be right. */
function isNear(said: string, word: string): boolean {
  return said === word || (said.length >= 4 && word.length >= 4 && distance(said, word) <= (said.length >= 8 ? 2 : 1))
}

/** Whether a todo is what a filter describes beyond what list_tasks can tell. */
export function isMeant(todo: Todo, { overdue, completed }: Filter, moment: Moment): boolean {
  if (overdue && !isOverdue(todo, moment)) return false
  if (!completed) return true
  if (todo.completed_at === null) return false
  const day = today(new Date(todo.completed_at), moment.zone)
  return (completed.after === undefined || day > completed.after) && (completed.before === undefined || day < completed.before)
}

/** Whether its moment, in its own zone or else the user's, has passed. */
function isOverdue({ completed, due_date, due_time, time_zone }: Todo, { now, zone }: Moment): boolean {
  if (completed || due_date === null) return false
  const wall = clockIn(now, time_zone ?? zone.name)
  return due_time === null ? due_date < wall.slice(0, 10) : `${due_date}T${due_time}` < wall.slice(0, 16)
}

function clockIn(now: Date, timeZone: string): string {
  return wallClock(now, timeZone).toISOString()
}
