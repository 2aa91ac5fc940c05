import fc from 'fast-check'
import { expect, it } from 'vitest'
import { jsonLimits, parseJson, TooManyValues } from './json.ts'

/** Values and levels, counted after parsing. */
function measure(value: unknown): { values: number; levels: number } {
  if (value === null || typeof value !== 'object') return { values: 1, levels: 0 }
  const parts = Object.values(value).map(measure)
  return {
    values: 1 + parts.reduce((sum, part) => sum + part.values, 0),
    levels: 1 + Math.max(0, ...parts.map(({ levels }) => levels)),
  }
}

it('parses any JSON within the limits like JSON.parse', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(parseJson(text, { values: 1e6, levels: 1e6 })).toEqual(JSON.parse(text))
    }),
  )
})

it('throws TooManyValues exactly when a text exceeds the limit of values or levels', () => {
  fc.assert(
    fc.property(fc.json({ depthSize: 'large' }), (text) => {
      const { values, levels } = measure(JSON.parse(text))
      // An empty array or object has no separator, so the count may be one too high for each.
      const empty = text.match(/\[\s*\]|\{\s*\}/g)?.length ?? 0
      expect(() => parseJson(text, { values: values + empty, levels })).not.toThrow()
      if (levels > 0) expect(() => parseJson(text, { values: 1e6, levels: levels - 1 })).toThrow(TooManyValues)
      if (values > 1) expect(() => parseJson(text, { values: values - 1, levels })).toThrow(TooManyValues)
    }),
  )
})

it('throws a SyntaxError for invalid JSON within the limits', () => {
  for (const text of ['', '"', '"\\', '[', ']', '}}', '{"a":"', ',,,', 'nul'])
    expect(() => parseJson(text, jsonLimits)).toThrow(SyntaxError)
})
