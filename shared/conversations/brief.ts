// A tool's result as short as it can be told: a model pays for every character, and a conversation's row keeps it.
import { chatLimits } from '../../functions/chat/limits.ts'

/** Fields that say nothing to whoever asked: whose it is, and when its row was written. */
const SILENT = new Set(['user_id', 'created_at', 'updated_at'])

/** The value without silent and empty fields; one that is still too long becomes the beginning of its JSON. */
export function brief(value: unknown, limit = chatLimits.resultChars): unknown {
  const short = withoutEmpty(value)
  const text = JSON.stringify(short) ?? 'null'
  return text.length <= limit ? short : `${text.slice(0, limit)} … (cut here: ask for less at a time, with a filter or a limit)`
}

function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, part]) =>
      SILENT.has(name) || part === null || (Array.isArray(part) && name === 'tags' && part.length === 0)
        ? []
        : [[name, withoutEmpty(part)]],
    ),
  )
}
