// What the todos' twin lets in: the rules of shared/todos/schema.ts for what is measured, as if by hand.
import { invalid } from './http.ts'

const PRIORITIES: readonly unknown[] = ['low', 'medium', 'high']
const FIELDS = new Set(['title', 'description', 'completed', 'priority', 'tags', 'due_date', 'due_time', 'time_zone'])

export function createInput(body: Record<string, unknown>) {
  const unknown = Object.keys(body).find((key) => !FIELDS.has(key))
  if (unknown !== undefined) throw invalid(`/${unknown}`, 'is not a field known here')
  if (body.title === undefined) throw invalid('/title', 'is required')
  const { completed, priority, tags, due_date, due_time } = body
  if (completed !== undefined && typeof completed !== 'boolean') throw invalid('/completed', 'must be true or false')
  const level = priority === undefined || priority === null ? 0 : PRIORITIES.indexOf(priority) + 1
  if (level === 0 && typeof priority === 'string') throw invalid('/priority', 'is none of low, medium, high')
  if (tags !== undefined && tags !== null && (!Array.isArray(tags) || tags.length > 10))
    throw invalid('/tags', 'must be a list of 10 at most')
  const day = optional(due_date, '/due_date', 10)
  if (day !== null && !isDay(day)) throw invalid('/due_date', 'must be a day, YYYY-MM-DD')
  const time = optional(due_time, '/due_time', 5)
  if (time !== null && !/^([01]\d|2[0-3]):[0-5]\d$/.test(time)) throw invalid('/due_time', 'must be a time of day, HH:MM')
  if (time !== null && day === null) throw invalid('/due_time', 'needs a due_date')
  const zone = optional(body.time_zone, '/time_zone', 64)
  if (zone !== null && !isTimeZone(zone)) throw invalid('/time_zone', 'must be an IANA time zone such as Europe/Berlin')
  return {
    title: text(body.title, '/title', 1, 255),
    description: optional(body.description, '/description', 1000),
    completed: completed === true,
    priority: level,
    tags: Array.isArray(tags) ? [...new Set(tags.map((tag, index) => text(tag, `/tags/${index}`, 1, 50)))] : [],
    due_date: day,
    due_time: time,
    time_zone: zone,
  }
}

/** Only the parameters that the bench sends; more are refused. */
export function listInput(url: string) {
  const parameters = new URLSearchParams(url.split('?', 2)[1])
  const unknown = [...parameters.keys()].find((key) => key !== 'limit' && key !== 'cursor')
  if (unknown !== undefined) throw invalid(`/${unknown}`, 'is not a field known here')
  const limit = parameters.get('limit') ?? '500'
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 500) throw invalid('/limit', 'must be a number from 1 to 500')
  const cursor = parameters.get('cursor')
  return { limit: Number(limit), cursor: cursor === null ? undefined : place(cursor) }
}

function place(cursor: string): { key: string; id: string } {
  try {
    const { sort, key, id } = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (sort === '-created' && typeof id === 'string' && new Date(key).toISOString() === key) return { key, id }
  } catch {
    // Refused below.
  }
  throw invalid('/cursor', 'is not a cursor that a page came with')
}

function optional(value: unknown, pointer: string, max: number): string | null {
  return value === undefined || value === null ? null : text(value, pointer, 0, max)
}

function text(value: unknown, pointer: string, min: number, max: number): string {
  const trimmed = typeof value === 'string' && value.isWellFormed() && !value.includes('\0') ? value.trim() : undefined
  if (trimmed === undefined || trimmed.length < min || [...trimmed].length > max)
    throw invalid(pointer, `must have ${min} to ${max} characters`)
  return trimmed
}

function isDay(value: string): boolean {
  return /^(?!0000)\d{4}-\d\d-\d\d$/.test(value) && new Date(`${value}T00:00:00Z`).toISOString().startsWith(value)
}

function isTimeZone(value: string): boolean {
  try {
    return /^[A-Za-z]/.test(value) && new Intl.DateTimeFormat('en', { timeZone: value }) !== undefined
  } catch {
    return false
  }
}
