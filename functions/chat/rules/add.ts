// Adding todos.
import { readItems } from './items.ts'
import { fieldsOf, run } from './run.ts'
import type { Said, Scene } from './types.ts'
import { added, MAX_AT_ONCE, TOO_MUCH } from './wording.ts'

export async function add(scene: Scene, text: string, many: boolean, { unmask }: Said): Promise<string> {
  if (partsOf(text) > MAX_PARTS) return TOO_MUCH
  const items = await readItems(text, many, scene.moment)
  if (items.length === 0) return 'What shall I add?'
  if (items.length > MAX_AT_ONCE) return TOO_MUCH
  const calls = items.map(({ title, description, ...slots }) => ({
    name: 'add_task',
    arguments: { title: unmask(title), ...(description ? { description: unmask(description) } : {}), ...fieldsOf(slots, scene.moment) },
  }))
  const { todos, errors } = await run(scene, calls)
  const repeats = items.some(({ title }) => REPEATS.test(title)) ? ['I cannot repeat todos yet: it is there once.'] : []
  return [...todos.map(added), ...repeats, ...errors].join('\n')
}

/** Parts of one wish between commas and “and”: several may say something about the same todo. */
const MAX_PARTS = 4 * MAX_AT_ONCE
const partsOf = (text: string) => text.split(/[,;]|\band\b/i).length

const REPEATS =
  /\b(?:every|each)\s+(?:other\s+)?(?:day|week|month|year|weekday|morning|evening|night|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b/i
