// Which calls end todos, by deleting or completing them, and how many one request may end before its user has to say yes.

/** More todos than this, and the request needs a confirmation (functions/chat/confirmations.ts). */
export const MAX_UNCONFIRMED = 3

/** The ids of the todos that a call would delete or complete; `input` has been parsed by the tool's schema. */
export function todosEndedBy(tool: string, input: Record<string, unknown>): string[] {
  switch (tool) {
    case 'delete_task':
      return idsIn(input)
    case 'complete_task':
      return input.completed === false ? [] : idsIn(input)
    case 'update_task':
      return input.completed === true ? idsIn(input) : []
    default:
      return []
  }
}

const idsIn = ({ todo_id }: Record<string, unknown>) => (typeof todo_id === 'string' ? [todo_id.toLowerCase()] : [])
