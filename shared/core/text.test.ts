// Users' texts inside lines and JSON of ours.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inJson, oneLine } from './text.ts'

const BREAKS = ['\n', '\r', '\v', '\f', '\u001c', '\u0085', '\u2028', '\u2029', '\0', '\t', '\u001b']
const anyText = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...BREAKS))).map((parts) => parts.join(''))
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u

describe('oneLine', () => {
  it('removes every character that could start a new line from any text', () => {
    fc.assert(fc.property(anyText, (text) => !CONTROL.test(oneLine(text))))
  })

  it('keeps all other characters of a text', () => {
    expect(oneLine('Zoë’s 🍕\u200d “é” \u05d0')).toBe('Zoë’s 🍕\u200d “é” \u05d0')
    expect(oneLine('milk\r\n\u20282. rent')).toBe('milk 2. rent')
  })
})

describe('inJson', () => {
  it('writes JSON of the same value without any raw line break', () => {
    fc.assert(
      fc.property(fc.record({ title: anyText, tags: fc.array(anyText) }), (value) => {
        const json = inJson(value)
        expect(JSON.parse(json)).toEqual(value)
        expect(json).not.toMatch(CONTROL)
      }),
    )
  })
})
