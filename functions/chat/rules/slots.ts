// Step 5: what a clause says besides its words: tags, priority, day and time. Each is taken out of the text; the rest is a title or a
// reference.
import { setImmediate as breathe } from 'node:timers/promises'
import type { Zone } from '../../../shared/core/calendar.ts'
import type { priorities } from '../../../shared/todos/schema.ts'
import { takeWhen, tidy, type When } from './dates.ts'

export type Priority = (typeof priorities)[number]
export type Slots = { rest: string; tags: string[]; priority: Priority | undefined; when: When | undefined }
export type Moment = { now: Date; zone: Zone }

const LEVELS: Record<string, Priority> = {
  high: 'high',
  highest: 'high',
  top: 'high',
  urgent: 'high',
  important: 'high',
  critical: 'high',
  urgently: 'high',
  asap: 'high',
  '!!!': 'high',
  '1': 'high',
  medium: 'medium',
  med: 'medium',
  mid: 'medium',
  normal: 'medium',
  '2': 'medium',
  low: 'low',
  lowest: 'low',
  '3': 'low',
}
const LEVEL = 'highest|high|top|medium|med|mid|normal|lowest|low'
/** The noun that a priority stands before: "a high priority task to call Bob". */
const OF_A_TASK = '(?:\\s+(?:task|todo|to-?do|item|reminder)\\b(?:\\s*:|\\s+(?:to|called|named|titled|for))?)?'
const PRIORITIES = [
  /(?<=^|\s)!(high|medium|med|low|[123])(?![\p{L}\p{N}])/iu,
  /^(?:an?\s+)?(urgent|important|critical)\s+(?:task|todo|to-?do|item|reminder)\b(?:\s*:|\s+(?:to|called|named|titled))?/i,
  /(?:\b(?:with|as|at|of|to)\s+)?(?<![\p{L}\p{N}#])p([123])(?![\p{L}\p{N}])/iu,
  new RegExp(
    `(?:\\b(?:with|as|at|of|to|and|is|are)\\s+)*(?:\\b(?:an?|the)\\s+)?\\b(${LEVEL})[\\s-]*prio(?:rity|s)?\\b(?:\\s+level)?${OF_A_TASK}`,
    'i',
  ),
  new RegExp(
    `(?:\\b(?:with|as|at|of|and|set)\\s+)*(?:\\b(?:an?|the)\\s+)?\\bprio(?:rity)?\\s*(?:is|:|=|of|to|as)?\\s*(${LEVEL}|urgent|critical|[123])\\b`,
    'i',
  ),
  /^(urgent|important|critical)\s*[:!,-]+\s*/i,
  // "urgent call the plumber", but not "urgent message to Bob".
  /^(urgent|urgently)\s+(?=\p{L}+\s+(?:the|my|our|an?)\b)/iu,
  /[,;\s]\s*(asap)[\s.!]*$/i,
  /(?<=^|\s)(!!!)!*(?=\s|$)/,
  /(?:[,;(–-]\s*|\b(?:it['’]?s|it is|is|are|as|this is|that['’]?s)\s+(?:an?\s+)?(?:very |really )?)(urgent|important|critical)\b[)!]*\s*$/i,
]
const TAG_WORD = '#?[\\p{L}\\p{N}_][\\p{L}\\p{N}_-]*'
const TAGGED = new RegExp(
  `\\b(?:tagged(?:\\s+(?:with|as))?|(?:with\\s+)?(?:the\\s+)?tags?(?:\\s*:|\\s+(?:is|as))?)\\s+(${TAG_WORD}(?:(?:\\s*,\\s*(?:and\\s+)?|\\s+and\\s+)${TAG_WORD})*)`,
  'iu',
)
const HASHTAG = /(?<![\p{L}\p{N}&])#([\p{L}\p{N}_][\p{L}\p{N}_-]*)/gu

/** Reads the slots of a clause, after other requests have had their turn: looking for a date takes some milliseconds. */
export async function takeSlots(text: string, { now, zone }: Moment): Promise<Slots> {
  await breathe()
  const tagged = takeTags(text)
  const ranked = takePriority(tagged.rest)
  const { when, rest } = await takeWhen(ranked.rest, now, zone)
  return { rest, when, tags: tagged.tags, priority: ranked.priority }
}

export function takeTags(text: string): { tags: string[]; rest: string } {
  const tags: string[] = []
  const keep = (tag: string) => tags.push(tag.replace(/^#/, ''))
  let rest = text.replace(TAGGED, (_, list: string) => {
    for (const tag of list.split(/\s*,\s*(?:and\s+)?|\s+and\s+/i)) keep(tag)
    return ' '
  })
  // "#2" is the second of a list.
  rest = rest.replace(HASHTAG, (whole, tag: string) => {
    if (/^\d+$/.test(tag)) return whole
    keep(tag)
    return ' '
  })
  return { tags: [...new Set(tags)].slice(0, 10), rest: tags.length > 0 ? tidy(rest) : text }
}

function takePriority(text: string): { priority: Priority | undefined; rest: string } {
  for (const pattern of PRIORITIES) {
    const level = pattern.exec(text)?.[1]?.toLowerCase()
    if (level) return { priority: LEVELS[level], rest: tidy(text.replace(pattern, ' ')) }
  }
  return { priority: undefined, rest: text }
}
