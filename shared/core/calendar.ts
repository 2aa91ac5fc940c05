// The user's time zone, which words like "tomorrow at nine" refer to.
import type { UserContext } from './context.ts'

/** `known` is false when UTC is a fallback that no user has chosen. */
export type Zone = { name: string; known: boolean }

/** The request's zone (`said`), else the zone of the user's latest todo that has one, else UTC. */
export async function zoneOf({ db, actor }: UserContext, said: string | undefined): Promise<Zone> {
  if (said !== undefined) return { name: said, known: true }
  const latest = await db.todo.findFirst({
    where: { userId: actor.userId, timeZone: { not: null } },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    select: { timeZone: true },
  })
  return latest?.timeZone ? { name: latest.timeZone, known: true } : { name: 'UTC', known: false }
}

/** Local time in the zone, as the UTC fields of the returned date. */
export function wallClock(moment: Date, timeZone: string): Date {
  const parts = formatIn(timeZone).formatToParts(moment)
  const field = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value)
  return new Date(Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'), field('second')))
}

/** Creating a format takes ten times as long as using it. There are about 600 zones, and more spellings of them. */
const MAX_FORMATS = 600
const formats = new Map<string, Intl.DateTimeFormat>()
function formatIn(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known) return known
  if (formats.size >= MAX_FORMATS) formats.clear()
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formats.set(timeZone, format)
  return format
}
