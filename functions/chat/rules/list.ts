// Listing and counting.
import { filterOf } from './filters.ts'
import { ordinalsIn } from './ordinals.ts'
import { named, run, type Said, type Scene, show } from './run.ts'
import { isMeant, trimReference } from './targets.ts'
import { counted, inFull, listed, SHOWN } from './wording.ts'

export async function list(scene: Scene, text: string, counts: boolean, { unmask }: Said): Promise<string> {
  const places = ordinalsIn(trimReference(text.replace(/^\s*about\b/i, '')), scene.state.shown.length)?.map(
    (place) => scene.state.shown[place - 1],
  )
  if (!counts && places?.length && places.every((todo) => todo !== undefined)) {
    const { todos, errors } = await run(
      scene,
      places.map(({ id }) => ({ name: 'get_task', arguments: { todo_id: id } })),
    )
    return [...todos.map(inFull), ...errors].join('\n')
  }
  const filter = await filterOf(text, scene.moment, unmask)
  const { input } = filter
  let answer = await show(scene, { name: 'list_tasks', arguments: { ...input, ...(counts ? { limit: 500 } : {}) } })
  // "show shopping tasks" may mean the tag.
  if (answer.todos.length === 0 && !answer.error && input.q && !input.tag && !/\s/.test(input.q)) {
    const { q, ...others } = input
    const byTag = await show(scene, { name: 'list_tasks', arguments: { ...others, tag: q.toLowerCase() } })
    if (byTag.todos.length > 0) {
      answer = byTag
      filter.input = { ...others, tag: q.toLowerCase() }
    }
  }
  if (answer.error) return answer.error
  const todos = answer.todos.filter((todo) => isMeant(todo, filter, scene.moment))
  if (counts) return counted(todos, filter, answer.more)
  scene.state.shown = todos.slice(0, SHOWN).map(named)
  scene.state.focus = todos.length === 1 ? todos.map(named) : []
  return listed(todos, filter, answer.more)
}
