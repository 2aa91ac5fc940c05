// Slips of the fingers, against the textbook's full table.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isSlip, isWithin } from './spelling.ts'

/** Optimal string alignment, as the textbook has it. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, row) => Array.from({ length: b.length + 1 }, (_, column) => row || column))
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const line = rows[i] ?? []
      line[j] = j
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      line[j] = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) line[j] = Math.min(at(i, j), at(i - 2, j - 2) + 1)
    }
  return at(a.length, b.length)
}

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 })

it('computes whether two words are within a distance like the full table', () => {
  fc.assert(
    fc.property(word, word, fc.constantFrom(1, 2), (a, b, limit) => isWithin(limit, a, b) === distance(a, b) <= limit),
    { numRuns: 3000 },
  )
})

it('forgives one slip in a word and two in a long one, and none in a short one, an endless one or a number', () => {
  expect([isSlip('nubmer', 'number'), isSlip('reprt', 'report'), isSlip('quartely', 'quarterly'), isSlip('qartely', 'quarterly')]).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect([isSlip('mlik', 'milk'), isSlip('rnt', 'rent'), isSlip('x'.repeat(1000), 'x'.repeat(999)), isSlip('1033', '1034')]).toEqual([
    true,
    false,
    false,
    false,
  ])
})
