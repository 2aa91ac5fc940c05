// Which todos a description means ("overdue", "my completed #home tasks", "due this week about rent"): the input of list_tasks.
import type { z } from 'zod'
import type { ListTodos } from '../../../shared/todos/schema.ts'
import { dayAfter, dayInWords, today } from './dates.ts'
import { type Moment, takeSlots } from './slots.ts'

export type Filter = {
  input: Partial<z.input<typeof ListTodos>>
  /** Only those whose moment has passed: list_tasks knows days alone. */
  overdue: boolean
  /** Only todos completed between these days, both exclusive: list_tasks cannot filter by completion. */
  completed: { after: string | undefined; before: string | undefined } | undefined
  /** How to speak of them: "open", "completed" … */
  label: string
  /** The time that was asked about, such as "due this week". */
  period: string | undefined
}

const COMPLETED = /\b(?:completed?|finished|done|closed|checked off|ticked off|did i (?:do|finish|complete)|i did)\b/i
const UNDONE =
  /\b(?:pending|open|outstanding|incomplete|uncompleted|unfinished|undone|remaining|left|still|not (?:yet )?(?:done|completed?|finished)|to be done|to do)\b/i
const ALL = /\b(?:all|everything|every|complete list|whole list)\b/i
const OVERDUE = /\b(?:overdue|late|past due|missed|behind)\b/i
const SORTS: Record<string, z.input<typeof ListTodos>['sort']> = {
  due: 'due',
  date: 'due',
  deadline: 'due',
  priority: '-priority',
  importance: '-priority',
  title: 'title',
  name: 'title',
  alphabet: 'title',
  newest: '-created',
  oldest: 'created',
}
const SORT =
  /,?\s*\b(?:(?:sort|order)(?:ed)?\s+)?by\s+(?:the\s+|their\s+)?(?:due\s+)?(date|deadline|due|priority|importance|title|name|newest|oldest)\b/i
const STOP = new Set(
  (
    "a an the my me i we our you all any every everything anything of on in for to with by at from that which what what's whats is are am be was do does did done have has got had " +
    'there this these those it task tasks todo todos to-do to-dos item items thing things stuff list lists entries reminder reminders agenda schedule ones one show see tell left remaining ' +
    'pending open outstanding incomplete uncompleted unfinished undone still not yet completed complete finished closed checked ticked off overdue late past missed behind due about containing ' +
    'contain contains matching named called titled saying word words says priority prio tag tags tagged need needs should must can plate up next coming planned other else please and or how many much ' +
    "details detail info information currently now right number count finish get give urgent important so far already today's tomorrow's week's whole"
  ).split(' '),
)

export async function filterOf(text: string, moment: Moment, unmask: (text: string) => string): Promise<Filter> {
  const sort = SORTS[SORT.exec(text)?.[1]?.toLowerCase() ?? '']
  const ranged = takeRange(text.replace(SORT, ' '), moment)
  const urgent = /\b(?:urgent|important)\b/i.test(ranged.rest)
  const slots = await takeSlots(ranged.rest, moment)
  const overdue = OVERDUE.test(text)
  const base = today(moment.now, moment.zone)
  const { range: day, words } = slots.when?.daySaid ? dayRange(ranged.rest, slots.when.date, base) : ranged
  const said: Range = overdue ? { due_before: dayAfter(base, 1) } : (day ?? (/\bdue\b/i.test(text) ? { due_after: '0001-01-01' } : {}))
  const status = overdue || UNDONE.test(text) ? 'pending' : COMPLETED.test(text) ? 'completed' : ALL.test(text) ? undefined : 'pending'
  // A question about todos finished today is not about todos due today.
  const asksWhenDone = status === 'completed' && Object.keys(said).length > 0 && !/\bdue\b/i.test(text)
  const range: Range = asksWhenDone ? {} : said
  const q = unmask(wordsOf(slots.rest))
  const priority = slots.priority ?? (urgent ? 'high' : undefined)
  const byDue = sort ?? (Object.keys(range).length > 0 ? 'due' : undefined)
  function labelOf() {
    if (overdue) return 'overdue'
    if (status === 'completed') return asksWhenDone ? '' : 'completed'
    return status === undefined || (words && !UNDONE.test(text)) ? '' : 'open'
  }
  return {
    input: {
      ...(status ? { status } : {}),
      ...(priority ? { priority } : {}),
      ...(slots.tags[0] ? { tag: slots.tags[0] } : {}),
      ...(q ? { q } : {}),
      ...range,
      ...(byDue ? { sort: byDue } : {}),
    },
    overdue,
    completed: asksWhenDone ? { after: words === 'this week' ? dayBeforeWeek(base) : said.due_after, before: said.due_before } : undefined,
    label: labelOf(),
    period: overdue || !words ? undefined : `${asksWhenDone ? 'completed' : 'due'} ${words}`,
  }
}

type Range = { due_after?: string; due_before?: string }

/** The text without the words of a list request. */
function wordsOf(rest: string): string {
  return rest
    .split(/[\s,.;:!?]+/)
    .filter((word) => word !== '' && !STOP.has(word.toLowerCase().replace('’', "'")))
    .join(' ')
}

/** Spans of days that chrono has no word for. */
function takeRange(text: string, { now, zone }: Moment) {
  const base = today(now, zone)
  const weekday = weekdayOf(base)
  const between = (first: number, end: number) => ({ due_after: dayAfter(base, first - 1), due_before: dayAfter(base, end) })
  const spans: [pattern: RegExp, range: Range, words: string][] = [
    [/\btoday\s*(?:and|or|&)\s*tomorrow\b/i, between(0, 2), 'today and tomorrow'],
    [/\b(?:this|the)\s+week(?:['’]s)?\b/i, between(0, 7 - weekday), 'this week'],
    [/\bnext\s+week(?:['’]s)?\b/i, between(7 - weekday, 14 - weekday), 'next week'],
    [/\b(?:this|the)\s+weekend\b/i, between(5 - weekday, 7 - weekday), 'this weekend'],
    [/\b(?:the\s+)?next\s+(?:7|seven)\s+days\b/i, between(0, 7), 'in the next 7 days'],
    [/\btoday['’]?s?\b/i, between(0, 1), 'today'],
    [/\btonight\b/i, between(0, 1), 'today'],
    [/\btomorrow['’]?s?\b/i, between(1, 2), 'tomorrow'],
  ]
  const found = spans.find(([pattern]) => pattern.test(text))
  if (!found || /\b(?:before|after|by|until)\s+\S+$/i.test(text)) return { rest: text, range: undefined, words: undefined }
  const [pattern, range, words] = found
  return { rest: text.replace(pattern, ' '), range, words }
}

/** Days since Monday, the first day of a week (ISO 8601). */
const weekdayOf = (date: string) => (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7
/** "This week" means its coming days for due todos, and its past days for completed ones. */
const dayBeforeWeek = (date: string) => dayAfter(date, -1 - weekdayOf(date))

function dayRange(text: string, date: string, base: string): { range: Range; words: string } {
  const near = ['yesterday', 'today', 'tomorrow'].find((_, index) => dayAfter(base, index - 1) === date)
  const day = near ?? dayInWords(date)
  if (/\bbefore\b/i.test(text)) return { range: { due_before: date }, words: `before ${day}` }
  if (/\b(?:by|until|till)\b/i.test(text)) return { range: { due_before: dayAfter(date, 1) }, words: `by ${day}` }
  if (/\b(?:after|since)\b/i.test(text)) return { range: { due_after: date }, words: `after ${day}` }
  return { range: { due_after: dayAfter(date, -1), due_before: dayAfter(date, 1) }, words: near ?? `on ${day}` }
}
