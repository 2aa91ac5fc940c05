import { describe, expect, it } from 'vitest'
import { proseOf, unclearPhrases } from './words.ts'

describe('the check for unclear phrases', () => {
  it.each([
    ['a.ts', '// Told to whoever listens', 2],
    ['a.ts', '/** Nobody else takes it. */', 1],
    ['a.ts', '  const n = 1 // those that wait', 1],
    ['a.test.ts', "it('tells nobody', () => {})", 2],
    ['a.test.ts', "it.each([1])('is told of once', () => {})", 1],
    ['a.sql', '-- what came before', 1],
    ['a.yaml', 'key: value # goes well', 1],
    ['README.md', 'An event is told once.', 1],
  ])('finds the phrases in %s: %s', (file, source, count) => {
    expect(unclearPhrases(file, source)).toHaveLength(count)
  })

  it.each([
    ['a.ts', "const told = 'nobody'"],
    ['a.ts', "const url = 'http://nobody.example.com'"],
    ['README.md', '```sh\necho nobody\n```'],
    ['README.md', 'The table `told` stays.'],
    ['a.test.ts', "it('returns 404 for a todo of another user', () => {})"],
  ])('leaves code and plain sentences alone in %s: %s', (file, source) => {
    expect(unclearPhrases(file, source)).toEqual([])
  })

  it('reports the line and the better words', () => {
    expect(unclearPhrases('a.ts', '\n// for ever')).toEqual(['a.ts:2: “for ever”. Instead: forever, indefinitely'])
  })

  it('reads every paragraph of a document outside code blocks', () => {
    expect(proseOf('a.md', 'one\n```\ntwo\n```\nthree').map(({ text }) => text)).toEqual(['one', 'three'])
  })
})
