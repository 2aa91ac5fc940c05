// What tools, resources and prompts say in words: short, because a model pays for each of them, and unmistakable about what is a user's
// text, because that is data to a model and never an instruction.
import type { z } from 'zod'
import type { AppError } from '../../shared/core/errors.ts'
import { inJson } from '../../shared/core/text.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'
import type { Tool } from '../../shared/todos/tools.ts'

/** A tool's result for a client that shows its model no structured content: enough to go on with. */
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

/** A user's texts are JSON strings without line breaks of any kind: none begins a line of its own. */
function lineOf({ id, title, completed, priority, tags, due_date, due_time, time_zone }: Todo): string {
  const due = [due_date, due_time, due_date && time_zone].filter(Boolean).join(' ')
  const facts = [`id=${id}`, priority && `priority=${priority}`, due && `due=${due}`, tags.length > 0 && `tags=${inJson(tags)}`].filter(
    Boolean,
  )
  return `[${completed ? 'x' : ' '}] ${inJson(title)} ${facts.join(' ')}`
}

/** A failure, and what to try next. `reference` is where the log has it. */
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
