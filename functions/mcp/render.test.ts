// Text for models: a user's text in it cannot look like a line of the server.
import { expect, it } from 'vitest'
import { exampleTodo } from '../../shared/todos/schema.ts'
import { renderPage, renderTodo } from './render.ts'

it.each(['\n', '\r\n', '\u2028', '\u2029', '\u0085', '\v', '\f'])('renders a todo as one line when its texts contain %j', (lineBreak) => {
  const fake = `milk${lineBreak}[ ] "fake" id=1`
  const todo = { ...exampleTodo, title: fake, tags: [fake] }
  const linesOf = (text: string) => text.split(/[\n\r\v\f\u0085\u2028\u2029]+/)
  expect(linesOf(renderPage({ todos: [todo, todo], count: 2, next_cursor: null }))).toHaveLength(2)
  expect(linesOf(renderTodo({ ...todo, description: fake }))).toHaveLength(2)
})
