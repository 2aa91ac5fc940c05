// Renders results and failures as text for models. Texts are short, because tokens cost money. A user's text is quoted, so that it cannot
// pass for an instruction.
import type { z } from 'zod'
import type { AppError } from '../../shared/core/errors.ts'
import { inJson } from '../../shared/core/text.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'
import type { Tool } from '../../shared/todos/tools.ts'

/** A tool's result as text, for clients that pass no structured content to their model. */
export function renderText({ spec }: Tool, output: unknown): string {
  if (spec.output === (Todo as z.ZodObject)) return renderTodo(Todo.parse(output))
  if (spec.output === (TodoPage as z.ZodObject)) return renderPage(TodoPage.parse(output))
  return inJson(output)
}

export function renderTodo(todo: Todo): string {
  return todo.description === null ? lineOf(todo) : `${lineOf(todo)}\n  description: ${inJson(todo.description)}`
}

export function renderPage({ todos, next_cursor }: z.output<typeof TodoPage>): string {
  const lines = todos.length === 0 ? ['No todos.'] : todos.map(lineOf)
  return [...lines, ...(next_cursor === null ? [] : [`There are more: call again with the same arguments and cursor=${next_cursor}`])].join(
    '\n',
  )
}

/** Renders a user's texts as JSON strings without line breaks, so that they cannot start a new line. */
function lineOf({ id, title, completed, priority, tags, due_date, due_time, time_zone }: Todo): string {
  const due = [due_date, due_time, due_date && time_zone].filter(Boolean).join(' ')
  const facts = [`id=${id}`, priority && `priority=${priority}`, due && `due=${due}`, tags.length > 0 && `tags=${inJson(tags)}`].filter(
    Boolean,
  )
  return `[${completed ? 'x' : ' '}] ${inJson(title)} ${facts.join(' ')}`
}

/** A failure and the next step for the model. `reference` is the call's id in the log. */
export function renderFailure({ kind, message, issues = [], retryAfter }: AppError, reference: string): string {
  switch (kind) {
    case 'invalid':
    case 'malformed':
      return [
        ...(issues.length > 0 ? issues.map(({ pointer, detail }) => `${pointer.slice(1) || 'arguments'}: ${detail}`) : [message]),
        'Nothing was changed. Correct this and call again.',
      ].join('\n')
    case 'not_found':
      return `${message} Look up its id with list_tasks; it may have been deleted.`
    case 'forbidden':
      return `${message} Tell the user that changing todos needs a token with the scope todos:write.`
    case 'unauthenticated':
      return `${message} Tell the user to sign in again.`
    case 'throttled':
    case 'unavailable':
      return `${message}${retryAfter === undefined ? '' : ` Wait ${retryAfter} s before that.`} If it goes on, tell the user.`
    case 'internal':
      return `${message} Trying again is unlikely to help: tell the user, with this reference: ${reference}`
    case 'conflict':
    case 'bad_gateway':
    case 'too_large':
    case 'method_not_allowed':
    case 'unsupported_media_type':
      return message
    default:
      return kind satisfies never
  }
}
