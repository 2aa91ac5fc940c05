// Days and times in a clause, found by chrono and judged here: it knows no IANA zones, so it is given the user's wall clock as if that
// were UTC; and it takes "march report" and "sun screen" for dates, so what it finds must look as if it was meant.
import type { ParsedResult } from 'chrono-node'
import type { Zone } from '../../../shared/core/calendar.ts'
import { wallClock } from '../../../shared/core/calendar.ts'

/** A day YYYY-MM-DD and a time HH:MM in the user's zone. `daySaid` is false when only a time was said. */
export type When = { date: string; time?: string; daySaid: boolean }
export type Found = { when: When | undefined; rest: string }

const PREPOSITION =
  /(?:(?:\b(?:(?:and\s+)?with\s+(?:an?\s+|the\s+)?(?:due(?:\s+date)?|deadline)(?:\s+of)?|due\s+date(?:\s+of)?|due|deadline|by|on|at|for|until|till|before|after|starting|from|to|the)|@|[-–:,(])\s*)+$/i
const LEADS = /\b(?:due|by|on|at|for|until|till|before|after|to|this|next|from)\s*$/i
const MONTHS = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec'

/** Characters of a clause that are searched for a moment: twice what a title may have. */
const MAX_DATED = 500

/** Takes the moment out of a clause; the rest is what the clause says besides. */
export async function takeWhen(text: string, now: Date, zone: Zone): Promise<Found> {
  if (text.length > MAX_DATED) return { when: undefined, rest: text }
  const wall = wallClock(now, zone.name)
  const prepared = spellOut(text, wall)
  const { parse } = await import('chrono-node/en')
  const hits = parse(prepared, { instant: wall, timezone: 0 }, { forwardDate: true }).filter((hit) => isMeant(hit, prepared))
  const days = hits.filter(hasDay)
  const day = days.findLast((hit) => LEADS.test(prepared.slice(0, hit.index))) ?? days.at(-1)
  const time = day && hasTime(day) ? undefined : hits.find((hit) => !hasDay(hit) && hasTime(hit))
  if (!day && !time) return { when: undefined, rest: text }

  const spans = [day, time].filter((hit) => hit !== undefined).sort((a, b) => b.index - a.index)
  let rest = prepared
  for (const hit of spans) {
    const before = rest.slice(0, hit.index).replace(PREPOSITION, '')
    rest = `${before} ${rest.slice(hit.index + hit.text.length)}`
  }
  return { when: toWhen(day, time, wall), rest: tidy(rest) }
}

export function dayAfter(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}

export function today(now: Date, zone: Zone): string {
  return wallClock(now, zone.name).toISOString().slice(0, 10)
}

/** A day such as `Fri, 15 Jan 2027`. */
export function dayInWords(date: string): string {
  return DAY_IN_WORDS.format(new Date(`${date}T00:00:00Z`))
}
const DAY_IN_WORDS = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
})

export const tidy = (text: string) =>
  text
    .replace(/\([\s,;]*\)/g, ' ')
    .replace(/^([^()]*)\)+\s*$/, '$1')
    .replace(/\s+/g, ' ')
    .replace(/\s+([,.;:!?])(?=\s|$)/g, '$1')
    .replace(/^[\s,;:–-]+|[\s,;:–-]+$/g, '')

/** What chrono does not know, as dates that it does. */
function spellOut(text: string, wall: Date): string {
  const iso = (date: Date) => date.toISOString().slice(0, 10)
  const base = iso(wall)
  return text
    .replace(/\b(?:the )?day after tomorrow\b/gi, dayAfter(base, 2))
    .replace(/\b(?:tonight|today) at midnight\b/gi, `${dayAfter(base, 1)} at 00:00`)
    .replace(/\b(at|@)\s*(\d{1,2})\s?h(\d{2})?\b/gi, (_, at: string, hour: string, minute = '00') => `${at} ${hour}:${minute}`)
    .replace(
      /\b(?:the )?(?:first|1st)(?: day)? of next month\b/gi,
      iso(new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 1))),
    )
    .replace(/\b(?:a|one) week from (today|tomorrow|(?:sun|mon|tues|wednes|thurs|fri|satur)day)\b/gi, (_, day: string) =>
      dayAfter(base, 7 + daysUntil(day, wall)),
    )
    .replace(
      /\b(?:eod|end of (?:the )?day)\s+(?=(?:on\s+)?(?:today|tomorrow|\w{3,6}day)\b)|(?<=(?:today|tomorrow|day))\s+(?:eod|end of (?:the )?day)\b/gi,
      '',
    )
    .replace(/\b(?:eod|end of (?:the )?day)\b/gi, 'today')
    .replace(/\b(?:eow|(?:the )?end of (?:the |this )?week)\b/gi, endOfWeek(wall))
    .replace(
      /\b(?:eom|(?:the )?end of (?:the |this )?month)\b/gi,
      iso(new Date(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 0))),
    )
    .replace(/\b(?:eoy|(?:the )?end of (?:the |this )?year)\b/gi, `${wall.getUTCFullYear()}-12-31`)
    .replace(
      new RegExp(`\\b(on |by |due |for |until |before |to )(?:the )?(\\d{1,2})(?:st|nd|rd|th)\\b(?!\\s+(?:of\\b|${MONTHS}))`, 'gi'),
      (whole, lead: string, day: string) => {
        const date = new Date(wall)
        if (Number(day) < 1 || Number(day) > 31) return whole
        if (Number(day) < wall.getUTCDate()) date.setUTCMonth(date.getUTCMonth() + 1, 1)
        date.setUTCDate(Number(day))
        return `${lead}${iso(date)}`
      },
    )
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
function daysUntil(day: string, wall: Date): number {
  const weekday = WEEKDAYS.indexOf(day.toLowerCase())
  if (weekday < 0) return /^tomorrow$/i.test(day) ? 1 : 0
  return (weekday - wall.getUTCDay() + 7) % 7 || 7
}

/** The end of the week: Friday, or Sunday once Friday has passed. */
function endOfWeek(wall: Date): string {
  const weekday = (wall.getUTCDay() + 6) % 7
  return dayAfter(wall.toISOString().slice(0, 10), (weekday <= 4 ? 4 : 6) - weekday)
}

const hasDay = ({ start, text }: ParsedResult) =>
  start.isCertain('day') ||
  start.isCertain('weekday') ||
  /\b(?:this (?:morning|afternoon|evening)|next (?:month|year)|in a (?:month|year))\b/i.test(text)
const hasTime = ({ start }: ParsedResult) => start.isCertain('hour')

function isMeant(hit: ParsedResult, text: string): boolean {
  const before = text.slice(0, hit.index)
  const after = text.slice(hit.index + hit.text.length)
  const atEnd = /^[\s.!?,)]*$/.test(after)
  // A duration, a repetition, a moment that is no plan.
  if (/^(?:for|now|right now|last)\b/i.test(hit.text) || /\b(?:every|each)\s+$/i.test(before)) return false
  if (!hasDay(hit) && !hasTime(hit)) return false
  // "sun screen", "sat phone": an abbreviation that is also a word must stand where a date would.
  if (/^(?:sun|sat|wed|mon)$/i.test(hit.text)) return atEnd || LEADS.test(before) || /^\s*(?:at\b|\d|:)/.test(after)
  // "midnight snack"
  if (/^(?:midnight|noon)$/i.test(hit.text)) return atEnd || LEADS.test(before)
  // "1/2 cup", "chapter 10.30".
  if (/^\d{1,2}[/.-]\d{1,2}$/.test(hit.text)) return atEnd || LEADS.test(before)
  // "today's paper"
  return !/^['’]s\b/.test(after)
}

function toWhen(day: ParsedResult | undefined, time: ParsedResult | undefined, wall: Date): When {
  const source = day ?? time
  const { start, text } = source as ParsedResult
  // "This evening" is today's, even late.
  const isToday = /\b(?:this (?:morning|afternoon|evening)|tonight)\b/i.test(text)
  const date = isToday
    ? wall.toISOString().slice(0, 10)
    : [pad(start.get('year'), 4), pad(start.get('month'), 2), pad(start.get('day'), 2)].join('-')
  const clock = day && hasTime(day) ? day : time
  if (!clock) return { date, daySaid: true }
  const hour = clock.start.get('hour') ?? 0
  const bare = !clock.start.isCertain('meridiem') && /(?:\bat|@)\s*[1-8](?::\d{2})?$/i.test(clock.text)
  const ahead = !day && hour <= wall.getUTCHours() && wall.getUTCHours() < hour + 12
  // "at 5" is read as 17:00, not five in the morning; "at 7", sent at noon, is this evening.
  const afternoon = bare && hour >= 1 && (hour <= 6 || (hour <= 8 && ahead))
  const clockTime = `${pad(afternoon ? hour + 12 : hour, 2)}:${pad(clock.start.get('minute'), 2)}`
  if (day) return { date, time: clockTime, daySaid: true }
  // A time alone is the next one that the clock will show.
  const base = wall.toISOString()
  return { date: clockTime > base.slice(11, 16) ? base.slice(0, 10) : dayAfter(base.slice(0, 10), 1), time: clockTime, daySaid: false }
}

const pad = (value: number | null, length: number) => String(value ?? 0).padStart(length, '0')
