// Untrusted JSON, limited in values and depth before it is parsed: 128 KiB can hold 60,000 values, and parsing and validating a value
// takes a thousand times as long as counting it.

export type JsonLimits = {
  /** Values (RFC 8259, section 3) in the whole text; each member of an object counts as one. */
  values: number
  /** Levels of nesting. */
  levels: number
}

export const jsonLimits = { values: 5_000, levels: 32 } satisfies JsonLimits

/** The text exceeds its limits. */
export class TooManyValues extends Error {}

/**
 * Parses a JSON text.
 * @throws TooManyValues above the limits, before parsing
 * @throws SyntaxError for invalid JSON
 */
export function parseJson(text: string, limits: JsonLimits = jsonLimits): unknown {
  if (exceeds(text, limits)) throw new TooManyValues()
  return JSON.parse(text)
}

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** Counts separators and opening brackets outside of strings. The result is arbitrary for invalid JSON, which parsing rejects. */
function exceeds(text: string, { values, levels }: JsonLimits): boolean {
  let separators = 0
  let level = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at)
        break
      case COMMA:
        separators++
        break
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        separators++
        if (++level > levels) return true
        break
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        level--
    }
    if (separators >= values) return true
  }
  return false
}

/** The index of the string's closing quote, or the end of the text without one. */
function endOfString(text: string, begin: number): number {
  for (let at = begin + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at
    if (code === BACKSLASH) at++
  }
  return text.length
}

/** JSON with the members of every object sorted by name: equal values have equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part,
  )
}
