// What models see: the operations that chat and MCP offer as tools. Showing one more is one more entry here.
import type { z } from 'zod'
import type { Operation, UserContext } from './operation.ts'
import { completeTodo, createTodo, deleteTodo, getTodo, listTodos, updateTodo } from './todos.ts'

/** An operation whose types are only known by its schemas: its arguments must have been parsed with `spec.input`. */
export type Tool = Operation<UserContext, z.ZodObject, z.ZodObject>

const all = [createTodo, listTodos, getTodo, updateTodo, completeTodo, deleteTodo] as unknown as readonly Tool[]

/** The tools that an actor may call: a read-only token neither sees nor reaches those that write. */
export function toolsFor({ readOnly }: UserContext['actor']): readonly Tool[] {
  return readOnly ? all.filter(({ spec }) => spec.effect === 'read') : all
}
