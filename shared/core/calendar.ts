// The time zone that a user's "tomorrow at nine" is meant in.
import type { UserContext } from './context.ts'

/** `known` is false for UTC, which is nobody's choice then. */
export type Zone = { name: string; known: boolean }

/** What the request says; else the zone of the todo that has got one last; else UTC. */
export async function zoneOf({ db, actor }: UserContext, said: string | undefined): Promise<Zone> {
  if (said !== undefined) return { name: said, known: true }
  const latest = await db.todo.findFirst({
    where: { userId: actor.userId, timeZone: { not: null } },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    select: { timeZone: true },
  })
  return latest?.timeZone ? { name: latest.timeZone, known: true } : { name: 'UTC', known: false }
}

/** A moment as a wall clock in the zone shows it: the fields of a date in UTC. */
export function wallClock(moment: Date, timeZone: string): Date {
  const parts = formatIn(timeZone).formatToParts(moment)
  const field = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value)
  return new Date(Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'), field('second')))
}

/** Making a format takes ten times as long as using it; there are some 600 zones, and more spellings of them. */
const MOST = 600
const formats = new Map<string, Intl.DateTimeFormat>()
function formatIn(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known) return known
  if (formats.size >= MOST) formats.clear()
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
