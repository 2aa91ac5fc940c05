// “Two days later”, “one hour earlier”: moving a todo by an amount, relative to where it is.
import { dayAfter } from './dates.ts'
import type { Match } from './wording.ts'

/** `from` says what the amount is counted from: the todo's own day, or today if that has passed (“postpone it by a day”). */
export type Shift = { count: number; unit: 'hour' | 'day' | 'week' | 'month'; from: 'due' | 'today' }

const HOUR = 3_600_000

/** The fields that move a todo; undefined when it has no day, or for hours no time, to count from. */
export function shifted({ due_date, due_time }: Match, { count, unit, from }: Shift, today: string) {
  const day = from === 'today' && (due_date === null || due_date < today) ? today : due_date
  if (day === null) return undefined
  switch (unit) {
    case 'hour': {
      if (due_time === null) return undefined
      const moved = new Date(Date.parse(`${day}T${due_time}:00Z`) + count * HOUR).toISOString()
      return { due_date: moved.slice(0, 10), due_time: moved.slice(11, 16) }
    }
    case 'day':
      return { due_date: dayAfter(day, count) }
    case 'week':
      return { due_date: dayAfter(day, 7 * count) }
    case 'month':
      return { due_date: monthsAfter(day, count) }
  }
}

/** The same day of another month, or the last one of a shorter month. */
function monthsAfter(date: string, months: number): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number)
  const lastDay = new Date(Date.UTC(year, month + months, 0)).getUTCDate()
  return new Date(Date.UTC(year, month - 1 + months, Math.min(day, lastDay))).toISOString().slice(0, 10)
}
