// The answer to "which one do you mean?".
import type { Named } from '../state.ts'
import { ordinalsIn } from './ordinals.ts'

/** Characters of a choice: a title, and what is said around it. */
const LONGEST = 400

/** The candidates that a message chooses; undefined when it says something else. */
export function chosenFrom(candidates: readonly Named[], message: string): Named[] | undefined {
  if (message.length > LONGEST) return undefined
  const said = message
    .trim()
    .toLowerCase()
    .replace(/^(?:please|pls|i mean(?:t)?|just|only|ok(?:ay)?)[\s,]+/, '')
    .replace(/[\s.!?]+$|,?\s+please[.!]*$/g, '')
    .replace(/["“”]/g, '')
  if (/^(?:both|all|all of them|both of them|them all|every(?:thing)?)$/.test(said)) return [...candidates]
  const places = ordinalsIn(said, candidates.length)
  if (places) {
    const chosen = places.map((place) => candidates[place - 1])
    return chosen.every((todo) => todo !== undefined) ? chosen : undefined
  }
  const exact = candidates.filter(({ title }) => title.toLowerCase() === said)
  if (exact.length === 1) return exact
  const words = said.split(/\s+/).filter((word) => !/^(?:the|one|task|todo|with|about|for|a|an|my)$/.test(word))
  const matching = candidates.filter(({ title }) => words.length > 0 && words.every((word) => title.toLowerCase().includes(word)))
  return matching.length === 1 ? matching : undefined
}
