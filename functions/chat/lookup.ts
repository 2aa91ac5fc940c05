// Reads todos by the ids that a conversation remembers. Such a todo may be deleted meanwhile, which is not an error.
import type { UserContext } from '../../shared/core/context.ts'
import { AppError } from '../../shared/core/errors.ts'
import type { Todo } from '../../shared/todos/schema.ts'
import { getTodo } from '../../shared/todos/todos.ts'

/**
 * The todo; undefined when the user has none with this id.
 * @throws AppError or a database error: anything but `not_found`
 */
export async function findTodo(ctx: UserContext, todo_id: string): Promise<Todo | undefined> {
  try {
    return await getTodo(ctx, { todo_id })
  } catch (error) {
    if (error instanceof AppError && error.kind === 'not_found') return undefined
    throw error
  }
}
