// What models see: the operations that chat and MCP offer as tools. Showing one more is one more entry here.
import { z } from 'zod'
import type { UserContext } from '../core/context.ts'
import type { Operation } from '../core/operation.ts'
import { completeTodo, createTodo, deleteTodo, getTodo, listTodos, updateTodo } from './todos.ts'

/** An operation whose types are only known by its schemas: its arguments must have been parsed with `spec.input`. */
export type Tool = Operation<UserContext, z.ZodObject, z.ZodObject>
export type JsonSchema = { [key: string]: unknown }

const all = [createTodo, listTodos, getTodo, updateTodo, completeTodo, deleteTodo] as unknown as readonly Tool[]

/** The tools that an actor may call: a read-only token neither sees nor reaches the tools that write. */
export function toolsFor({ readOnly }: UserContext['actor']): readonly Tool[] {
  return readOnly ? all.filter(({ spec }) => spec.effect === 'read') : all
}

/** A tool by its name, also one that the actor is not shown: calling it is then refused with the reason. */
export function toolNamed(name: string): Tool | undefined {
  return all.find(({ spec }) => spec.name === name)
}

/** What a model left out, filled in as models mean it. Still to be parsed. */
export function withModelDefaults({ spec }: Tool, given: Record<string, unknown>): Record<string, unknown> {
  return { ...spec.modelDefaults, ...given }
}

/** A tool's input as a model is shown it (JSON Schema 2020-12), with the defaults that hold for models. */
export function inputSchemaOf({ spec }: Tool): JsonSchema {
  const { properties, ...rest } = lean(spec.input, 'input')
  const shown = Object.entries(properties as Record<string, JsonSchema>).map(([name, property]) => {
    const value = spec.modelDefaults?.[name]
    return [name, value === undefined ? property : { ...property, default: value }]
  })
  return { ...rest, properties: Object.fromEntries(shown) }
}

/** A tool's output as a model is shown it: names and types, because what the fields mean and may hold stands in the inputs. */
export function outputSchemaOf({ spec }: Tool): JsonSchema {
  return lean(spec.output, 'output')
}

const LIMITS = ['description', 'minLength', 'maxLength', 'minItems', 'maxItems', 'minimum', 'maximum', 'pattern']

function lean(schema: z.ZodObject, io: 'input' | 'output'): JsonSchema {
  const {
    $schema: _,
    $defs,
    ...root
  }: JsonSchema = z.toJSONSchema(schema, {
    io,
    override({ jsonSchema }) {
      // Zod spells each `format` out once more, in some 200 characters.
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern
      delete jsonSchema.example
      if (io === 'output') for (const limit of LIMITS) delete jsonSchema[limit]
    },
  })
  return inlined(root, Object($defs))
}

/** A schema without references: not every client follows them. */
function inlined(schema: JsonSchema, definitions: Record<string, JsonSchema>): JsonSchema {
  const { $ref, ...own } = schema
  const referred = typeof $ref === 'string' ? definitions[$ref.replace('#/$defs/', '')] : undefined
  const parts = Object.entries({ ...referred, ...own }).map(([key, value]) => [key, within(value, definitions)])
  return Object.fromEntries(parts)
}

function within(value: unknown, definitions: Record<string, JsonSchema>): unknown {
  if (Array.isArray(value)) return value.map((part) => within(part, definitions))
  return typeof value === 'object' && value !== null ? inlined(value as JsonSchema, definitions) : value
}
