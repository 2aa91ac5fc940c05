// Listing and counting.
import type { Todo } from '../../../shared/todos/schema.ts'
import { type Filter, filterOf } from './filters.ts'
import { ordinalsIn } from './ordinals.ts'
import { named, run, type Said, type Scene, show } from './run.ts'
import { isMeant, trimReference } from './targets.ts'
import { beyond, counted, type Finding, inFull, listed, SHOWN } from './wording.ts'

type Page = Pick<Awaited<ReturnType<typeof show>>, 'todos' | 'cursor'>

export async function list(scene: Scene, text: string, counts: boolean, { unmask }: Said): Promise<string> {
  const places = ordinalsIn(trimReference(text.replace(/^\s*about\b/i, '')), scene.state.shown.length)?.map(
    (place) => scene.state.shown[place - 1],
  )
  if (!counts && places?.length && scene.state.shown.length > 0) {
    if (!places.every((todo) => todo !== undefined)) return beyond(scene.state.shown.length)
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
  const finding = await countAll(scene, answer, filter)
  if (counts) return counted(finding, filter)
  scene.state.shown = finding.first.map(named)
  scene.state.focus = finding.count === 1 ? finding.first.map(named) : []
  return listed(finding, filter)
}

/** The todos of the first page and of the later ones, which are not shown as calls. */
async function countAll({ reader, moment }: Scene, { todos, cursor }: Page, filter: Filter): Promise<Finding> {
  const first: Todo[] = []
  let count = 0
  const add = (page: Todo[]) => {
    for (const todo of page) if (isMeant(todo, filter, moment) && ++count <= SHOWN) first.push(todo)
  }
  add(todos)
  const complete = cursor === undefined || (await reader.each({ ...filter.input, cursor }, add))
  return { first, count, complete }
}
