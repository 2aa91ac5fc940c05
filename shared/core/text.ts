// Schemas and escaping for text that people write.
import { z } from 'zod'

/**
 * A string of `min` to `max` characters after trimming. A character is a Unicode code point, as in JSON Schema's `maxLength` and in
 * PostgreSQL, not a UTF-16 unit. NUL and lone surrogates are rejected, because PostgreSQL cannot store them.
 */
export function text(min: number, max: number) {
  return bounded(z.string().trim(), min, max)
}

/** The same without trimming, for secrets: their spaces are significant. */
export function verbatim(min: number, max: number) {
  return bounded(z.string(), min, max)
}

/** A user's text for one line: control characters and line separators become spaces, so that it cannot start a new line. */
export const oneLine = (text: string) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')

/** A value as lossless JSON for models, with every character escaped that a reader may take for a line break. */
export function inJson(value: unknown): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, escaped)
}

function bounded(schema: z.ZodString, min: number, max: number) {
  return schema
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'must not contain NUL or lone surrogates')
    .refine((value) => hasLength(value, min, max), `must have ${min} to ${max} characters`)
    .meta({ ...(min > 0 ? { minLength: min } : {}), maxLength: max })
}

function hasLength(value: string, min: number, max: number): boolean {
  if (value.length < min || value.length > max * 2) return false
  if (value.length <= max && min <= 1) return true
  const { length } = [...value]
  return length >= min && length <= max
}
