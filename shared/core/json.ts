// JSON from outside, bounded by the number of its values before it is parsed: 128 KiB can hold 60,000 of them, and parsing, checking and
// refusing each takes a thousand times as long as skipping over it.

export type JsonLimits = {
  /** Values (RFC 8259, section 3) in the whole text; each member of an object counts as one. */
  values: number
  /** Levels of nesting. */
  levels: number
}

export const jsonLimits = { values: 5_000, levels: 32 } satisfies JsonLimits

/** JSON text that holds more than it may. */
export class TooManyValues extends Error {}

/**
 * Parses a JSON text.
 * @throws TooManyValues above the limits, before anything is parsed
 * @throws SyntaxError when it is no JSON
 */
export function parseJson(text: string, limits: JsonLimits = jsonLimits): unknown {
  if (exceeds(text, limits)) throw new TooManyValues()
  return JSON.parse(text)
}

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/** Counts what separates and holds values, outside strings. Of text that is no JSON it may say anything. */
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

/** Where the string that begins there ends; the end of the text when it does not. */
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
