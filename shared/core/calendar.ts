// Wall clocks in time zones.

/** `known` is false for UTC as a default. */
export type Zone = { name: string; known: boolean }

/** The wall clock in a zone, as the UTC fields of a date. */
export function wallClock(moment: Date, timeZone: string): Date {
  const parts = formatIn(timeZone).formatToParts(moment)
  const field = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value)
  return new Date(Date.UTC(field('year'), field('month') - 1, field('day'), field('hour'), field('minute'), field('second')))
}

/** Creating a format takes ten times as long as using it. There are some 600 zones, and more spellings of them. */
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
