// Step 6: which todos a reference means: words of a title, places in the list shown last, "it" and "them", or "all …".

import { wallClock } from '../../../shared/core/calendar.ts'
import type { UserContext } from '../../../shared/core/context.ts'
import type { Todo } from '../../../shared/todos/schema.ts'
import { findTodo } from '../lookup.ts'
import type { ChatState, Named } from '../state.ts'
import { quoted } from '../summary.ts'
import { today } from './dates.ts'
import { type Filter, filterOf } from './filters.ts'
import { isQuotation } from './literal.ts'
import { ordinalsIn } from './ordinals.ts'
import type { Reader } from './reader.ts'
import type { Moment } from './slots.ts'
import { beyond, MAX_AT_ONCE, type Match, SHOWN, TOO_MUCH } from './wording.ts'

export type Target =
  /** `complete` is false when more than these are meant than one message can reach. */
  | { kind: 'found'; todos: Match[]; complete: boolean }
  /** The first that may be meant, and how many there are, or more. */
  | { kind: 'which'; candidates: Match[]; count: number; complete: boolean }
  | { kind: 'none'; why: string }

export type Search = {
  ctx: UserContext
  reader: Reader
  moment: Moment
  state: ChatState
  unmask: (text: string) => string
  /** Where to look first; `all` is looked through when nothing is found. */
  status: 'pending' | 'completed'
  /** The todos that "all" means; undefined for open and completed ones alike. */
  every: 'pending' | 'completed' | undefined
}

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
  // Without a list, "the last one" is the todo mentioned last.
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

const found = (todos: Match[]): Target => ({ kind: 'found', todos, complete: true })

async function present({ ctx }: Search, named: readonly Named[]): Promise<Match[]> {
  const todos: Match[] = []
  for (const { id } of named) {
    const todo = await findTodo(ctx, id)
    if (todo) todos.push(todo)
  }
  return todos
}

async function one(search: Search, named: readonly Named[]): Promise<Target> {
  const todos = await present(search, named)
  if (todos.length === 0) return { kind: 'none', why: 'I do not know which todo you mean. Please name it.' }
  return todos.length === 1 ? found(todos) : { kind: 'which', candidates: todos, count: todos.length, complete: true }
}

async function several(search: Search, named: readonly Named[]): Promise<Target> {
  const todos = await present(search, named)
  return todos.length > 0 ? found(todos) : { kind: 'none', why: 'I do not know which todos you mean. Please name them.' }
}

async function byPlace(search: Search, places: readonly number[]): Promise<Target> {
  const { shown } = search.state
  if (shown.length === 0) return { kind: 'none', why: 'I have not shown you a list yet. Say “show my tasks” first, or name the todo.' }
  const named = places.map((place) => shown[place - 1])
  if (named.some((todo) => todo === undefined)) return { kind: 'none', why: beyond(shown.length) }
  return several(
    search,
    named.filter((todo) => todo !== undefined),
  )
}

async function every(search: Search, said: string): Promise<Target> {
  const { reader, moment, unmask } = search
  const filter = await filterOf(said, moment, unmask)
  const { q, ...others } = filter.input
  const named = /\b(?:completed|finished|done|pending|open|unfinished|overdue)\b/i.test(said)
  const status = named ? filter.input.status : search.every
  const todos: Match[] = []
  const keep = (page: Todo[]) => {
    for (const todo of page) if (isMeant(todo, filter, moment)) todos.push(slim(todo))
  }
  let complete = await reader.each({ ...filter.input, status }, keep)
  // "All home tasks" may mean the tag.
  if (todos.length === 0 && q && !others.tag && !/\s/.test(q))
    complete = await reader.each({ ...others, tag: q.toLowerCase(), status }, keep)
  return todos.length > 0 ? { kind: 'found', todos, complete } : { kind: 'none', why: 'There are no such todos.' }
}

/** Without what may be long and is not needed. */
const slim = ({ id, title, completed, completed_at, priority, tags, due_date, due_time, time_zone }: Todo): Match => ({
  id,
  title,
  completed,
  completed_at,
  priority,
  tags,
  due_date,
  due_time,
  time_zone,
})

async function byWords(search: Search, said: string): Promise<Target> {
  const { unmask } = search
  const whole = await match(search, unmask(said), isQuotation(said))
  if (whole.kind !== 'none') return whole
  const parts = said
    .split(/\s*,\s*(?:and\s+)?|\s+and\s+/i)
    .map(trimReference)
    .filter(Boolean)
  if (parts.length < 2) return whole
  if (parts.length > MAX_AT_ONCE) return { kind: 'none', why: TOO_MUCH }
  const todos = new Map<string, Match>()
  let complete = true
  for (const part of parts) {
    const target = await findTargets(search, part)
    if (target.kind !== 'found') return target
    complete &&= target.complete
    for (const todo of target.todos) todos.set(todo.id, todo)
  }
  return { kind: 'found', todos: [...todos.values()], complete }
}

const EMPTY = new Set('the a an my to for of on at in with and about task todo item one'.split(' '))
/** Characters of a reference: more than a title may have, with what is said around it. */
const MAX_REFERENCE = 400
/** Words of a reference that are forgiven slips. */
const MAX_SLIPPED = 12

/** Todos whose titles hold all the words: the one with exactly this title, else all; else near misses. */
async function match(search: Search, said: string, exactly: boolean): Promise<Target> {
  const missing: Target = { kind: 'none', why: `I found no todo like ${quoted(said)}.` }
  if (said.length > MAX_REFERENCE) return missing
  const whole = said.toLowerCase()
  const words = [...new Set(whole.split(/[\s,.;:!?"“”]+/).filter(Boolean))]
  const meaning = words.filter((word) => !EMPTY.has(word))
  const terms = meaning.length > 0 ? meaning : words
  const rarest = exactly ? said : (terms.toSorted((a, b) => b.length - a.length)[0] ?? said)
  for (const status of [search.status, 'all'] as const) {
    const exact = createFindings()
    const inTitle = createFindings()
    const complete = await search.reader.each({ status, q: rarest.slice(0, 255) }, (page) => {
      for (const todo of page) {
        const title = todo.title.toLowerCase()
        if (title === whole) exact.add(todo)
        else if (terms.every((term) => title.includes(term))) inTitle.add(todo)
      }
    })
    const target = exact.target(complete) ?? inTitle.target(complete)
    if (target) return target
    if (!complete) return unsearched(said)
  }
  return exactly || terms.length > MAX_SLIPPED ? missing : ((await matchSlips(search, terms)) ?? missing)
}

/** Those of the todos whose titles differ from the words by a slip of the fingers. */
async function matchSlips({ reader, status }: Search, terms: readonly string[]): Promise<Target | undefined> {
  const near = createFindings()
  let spent = false
  const complete = await reader.each({ status }, async (page) => {
    for (const todo of page) {
      if (spent) return
      const words = new Set(todo.title.toLowerCase().split(/[^\p{L}\p{N}]+/u))
      let all: boolean | undefined = true
      for (const term of terms) if (all) all = reader.isNearOne(term, words)
      if (all) near.add(todo)
      spent = all === undefined
      await reader.rest()
    }
  })
  return complete && !spent ? near.target(true) : unsearched(terms.join(' '))
}

const unsearched = (said: string): Target => ({
  kind: 'none',
  why: `I found no todo like ${quoted(said)}, but I have not looked through all that you have. Please name it as its title does.`,
})

/** The first todos that are found, and their number. */
function createFindings() {
  const candidates: Match[] = []
  let count = 0
  return {
    add(todo: Todo): void {
      if (++count <= SHOWN) candidates.push(slim(todo))
    },
    /** One that was found is meant if all were looked at; else it is asked about. */
    target(complete: boolean): Target | undefined {
      if (count === 0) return undefined
      return count === 1 && complete ? found(candidates) : { kind: 'which', candidates, count, complete }
    },
  }
}

/** Whether a todo passes the parts of a filter that list_tasks cannot apply. */
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
