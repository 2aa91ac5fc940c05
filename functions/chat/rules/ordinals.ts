// Places in a list, as people say them: "2", "the second one", "1, 3 and 5", "1-3", "the first two", "last".

const WORDS: Record<string, number> = Object.fromEntries(
  'first second third fourth fifth sixth seventh eighth ninth tenth'.split(' ').map((word, index) => [word, index + 1]),
)
const CARDINALS: Record<string, number> = Object.fromEntries(
  'one two three four five six seven eight nine ten'.split(' ').map((word, index) => [word, index + 1]),
)

/** Characters of a reference to places. */
const LONGEST = 200

/** The places (from 1) that a reference names, if it names nothing else. `length` is that of the list: it says what "last" is. */
export function ordinalsIn(reference: string, length: number): number[] | undefined {
  if (reference.length > LONGEST) return undefined
  const text = reference
    .toLowerCase()
    .replace(/\b(?:the|tasks?|todos?|items?|ones?|numbers?|nos?\.?|nr\.?|entry|entries|option|please|both)(?![\p{L}\p{N}])/gu, ' ')
    .replace(/#(?=\d)/g, ' ')
    .trim()
  if (text === '') return undefined
  const run = /^(first|top|last)\s+(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)$/.exec(text)
  if (run) {
    const count = CARDINALS[run[2] ?? ''] ?? Number(run[2])
    const first = run[1] === 'last' ? Math.max(0, length - count) : 0
    return Array.from({ length: count }, (_, index) => first + index + 1)
  }
  const places: number[] = []
  for (const part of text.split(/\s*(?:,|&|\band\b|\s)\s*(?:and\s+)?/).filter(Boolean)) {
    const span = /^(\d{1,3})(?:-|–|\.\.)(\d{1,3})$/.exec(part)
    if (span) {
      const [from, to] = [Number(span[1]), Number(span[2])]
      if (to < from || to - from > 100) return undefined
      for (let place = from; place <= to; place++) places.push(place)
      continue
    }
    const place = placeOf(part, length)
    if (place === undefined) return undefined
    places.push(place)
  }
  return places.length > 0 ? [...new Set(places)] : undefined
}

function placeOf(word: string, length: number): number | undefined {
  if (word === 'last') return Math.max(1, length)
  const digits = /^(\d{1,3})(?:st|nd|rd|th|\.|\))?$/.exec(word)?.[1]
  return digits ? Number(digits) : Object.hasOwn(WORDS, word) ? WORDS[word] : Object.hasOwn(CARDINALS, word) ? CARDINALS[word] : undefined
}
