// The confirmation policy: calls that delete or complete todos need a confirmation above a limit.

/** A request that would delete or complete more todos needs a confirmation (see confirmations.ts). */
export const MAX_UNCONFIRMED = 3

/** The ids of the todos that a call would delete or complete. `input` is the output of the tool's schema. */
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
