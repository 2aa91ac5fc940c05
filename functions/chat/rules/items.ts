// What "add …" is about: one todo or several, each with its own day, priority and tags.
import { isQuotation, MARK } from './literal.ts'
import { type Moment, type Slots, takeSlots } from './slots.ts'

export type Item = Slots & { title: string; description: string | undefined }

/** Verbs that begin a task: they distinguish "call mom and pay rent" from "call mom and dad". */
const ACTION = new RegExp(
  `^(?:to\\s+)?(?:${MARK}|(?:${(
    'apply ask bake bathe book borrow bring build buy call cancel change charge check clean clear collect complete cook cut deliver deploy do draft drive drop ' +
      'edit email exercise feed file fill find finish fix fold get give go grab hang help hire install invite iron kill learn mail make meet message mop move mow ' +
      'order organi[sz]e pack paint pay phone pick plan plant play post practi[cs]e prepare print publish put read register remind renew rent repair replace reply ' +
      'research reserve respond return review ride run scan schedule sell send service set ship shop sign study submit sweep swim take talk teach tell test text throw ' +
      'tidy train transfer try update upload vacuum visit wake walk wash watch water wipe work wrap write'
  ).replaceAll(' ', '|')})\\b)`,
  'iu',
)
const FINISHING: readonly [RegExp, string][] = [
  [
    /^(?:an?\s+|the\s+|another\s+)?(?:new\s+)?(?:task|todo|to-?do|reminder|item)(?:$|\s*:|\s+(?:to|called|named|titled|saying|that says)\b)/i,
    '',
  ],
  [/^with\s+(?:the\s+|an?\s+)?(?:title|name)\b/i, ''],
  [/^(?:(?:to|that|called|named|titled|saying|says?)\s+|[:–-]\s*)+/i, ''],
  [/\s+(?:to|on|onto|in|into)\s+(?:my|the)\s+(?:(?:to-?do|task|shopping|grocery)\s+)?(?:list|tasks|todos|agenda)$/i, ''],
  [/\s+as\s+an?\s+(?:new\s+)?(?:task|todo|to-?do|reminder)$/i, ''],
  [/\s+(?:and\s+)?(?:with|and|due|by|on|at|is|are|which is|that is|it is|it['’]s)$/i, ''],
  [/[\s,;:.!–-]+$/u, ''],
]
const DESCRIPTION = new RegExp(
  `[,;]?\\s*\\b(?:with\\s+(?:the\\s+|an?\\s+)?)?(?:description|notes?)(?:\\s*:|\\s+(?=${MARK}))\\s*(.+)$`,
  'iu',
)

export async function readItems(text: string, many: boolean, moment: Moment): Promise<Item[]> {
  const described = DESCRIPTION.exec(text)
  const { heading, rest } = await takeHeading(described ? text.slice(0, described.index) : text, moment)
  const parts = await split(rest, many, moment)
  const items: (Slots & { part: string })[] = []
  for (const part of parts) items.push({ ...(await takeSlots(part, moment)), part })
  const last = items.at(-1)
  // "milk, eggs and bread for tomorrow": what ends a list of things holds for all of it.
  const shared =
    items.length > 1 && last && parts.every((part) => isQuotation(part.charAt(0)) || !ACTION.test(part)) && items.slice(0, -1).every(isBare)
      ? last
      : heading
  return items
    .map(({ part: _, ...item }) => ({
      ...item,
      when: item.when ?? shared?.when,
      priority: item.priority ?? shared?.priority,
      tags: item.tags.length > 0 ? item.tags : (shared?.tags ?? []),
      title: finish(item.rest),
      description: described?.[1],
    }))
    .filter(({ title }) => title !== '')
}

/** "tomorrow: pay rent, call Jo": what stands before the colon holds for all of it. */
async function takeHeading(text: string, moment: Moment): Promise<{ heading?: Slots; rest: string }> {
  const [, head, rest] = /^([^:,;]{1,40}):\s+(.+)$/s.exec(text) ?? []
  if (!head || !rest) return { rest: text }
  const heading = await takeSlots(head, moment)
  return !isBare(heading) && finish(heading.rest) === '' ? { heading, rest } : { rest: text }
}

const isBare = ({ tags, priority, when }: Slots) => tags.length === 0 && !priority && !when

function finish(title: string): string {
  let finished = title.trim()
  for (let before = ''; before !== finished; ) {
    before = finished
    for (const [pattern, replacement] of FINISHING) finished = finished.replace(pattern, replacement).trim()
  }
  return finished
}

async function split(text: string, many: boolean, moment: Moment): Promise<string[]> {
  const commas = await joinSlots(text.split(/\s*[,;]\s*(?:and\s+)?/), moment)
  // "buy milk, eggs and bread" is one errand; "buy milk, call mom" are two.
  const errand = !many && commas.length > 1 && ACTION.test(commas[0] ?? '') && !commas.slice(1).some((part) => ACTION.test(part))
  const parts = errand ? [text] : commas
  const split: string[] = []
  for (const part of parts) split.push(...(await splitAnd(part, many || (parts.length > 1 && part === parts.at(-1)), moment)))
  return split.filter((part) => part.trim() !== '')
}

/** "milk, tomorrow, p1": what says nothing but a slot belongs to what stands before it. */
async function joinSlots(parts: string[], moment: Moment): Promise<string[]> {
  const joined: string[] = []
  for (const part of parts) {
    const { rest, ...slots } = await takeSlots(part, moment)
    const isSlot = joined.length > 0 && !isBare({ rest, ...slots }) && finish(rest) === ''
    if (isSlot) joined.push(`${joined.pop()}, ${part}`)
    else joined.push(part)
  }
  return joined
}

async function splitAnd(part: string, always: boolean, moment: Moment): Promise<string[]> {
  const halves = part.split(/\s+and\s+(?:also\s+)?/i)
  if (halves.length === 1) return halves
  const [first = ''] = halves
  const joined: string[] = [first]
  let isDated = (await takeSlots(first, moment)).when !== undefined
  for (const half of halves.slice(1)) {
    const { when, rest } = await takeSlots(half, moment)
    const ownMoments = isDated && when !== undefined
    const isNew = (always || ACTION.test(half) || ownMoments) && finish(rest) !== ''
    if (isNew) joined.push(half)
    else joined.push(`${joined.pop()} and ${half}`)
    isDated = when !== undefined || (isDated && !isNew)
  }
  return joined
}
