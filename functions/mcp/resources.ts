// Todos as MCP resources, for clients that attach them to a conversation: those due today, and each by its id.
import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { ReadResourceResult } from '@modelcontextprotocol/sdk/types.js'
import { wallClock } from '../../shared/core/calendar.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { AppError } from '../../shared/core/errors.ts'
import { oneLine } from '../../shared/core/text.ts'
import { ListTodos, TodoRef } from '../../shared/todos/schema.ts'
import { getTodo, listTodos } from '../../shared/todos/todos.ts'
import { zoneOf } from '../../shared/todos/zone.ts'
import type { Guard } from './guard.ts'

const TODAY = 'todo://today'
const ITEM = 'todo://items/'
const resourceLimits = {
  /** Todos that are listed by name, and completions of an id. */
  suggestions: 20,
  due: 50,
}
const DAY_MS = 86_400_000

export const dayOf = (date: Date) => date.toISOString().slice(0, 10)

/** Today's date for the user. Clients send no time zone, so it is the one of the latest todo that has one, else UTC. */
export async function todayOf(ctx: UserContext): Promise<string> {
  const { name } = await zoneOf(ctx, undefined)
  return dayOf(wallClock(ctx.clock(), name))
}

/** Open todos that are due on `day` or earlier, the earliest first. */
export function dueBy(ctx: UserContext, day: string) {
  const next = dayOf(new Date(Date.parse(day) + DAY_MS))
  return listTodos(ctx, ListTodos.parse({ status: 'pending', due_before: next, sort: 'due', limit: resourceLimits.due }))
}

export function asResource(uri: string, value: unknown) {
  return { uri, mimeType: 'application/json', text: JSON.stringify(value) }
}

export function registerResources(mcp: McpServer, ctx: UserContext, guard: Guard): void {
  mcp.registerResource(
    'today',
    TODAY,
    {
      title: 'Today',
      description: 'What is open and due today, or overdue, in the zone of the latest todo that has one, else in UTC',
      mimeType: 'application/json',
    },
    () => guard(async () => contents(TODAY, await dueBy(ctx, await todayOf(ctx)))),
  )
  const template = new ResourceTemplate(`${ITEM}{id}`, {
    list: () => guard(() => recent(ctx)),
    complete: { id: (typed) => guard(() => suggest(ctx, typed)) },
  })
  mcp.registerResource('todo', template, { title: 'A todo', mimeType: 'application/json' }, (uri, { id }) =>
    guard(async () => {
      const ref = TodoRef.safeParse({ todo_id: id })
      if (!ref.success) throw new AppError('not_found', 'There is no such todo.')
      return contents(uri.href, await getTodo(ctx, ref.data))
    }),
  )
}

const contents = (uri: string, value: unknown): ReadResourceResult => ({ contents: [asResource(uri, value)] })

async function recent(ctx: UserContext) {
  const { todos } = await listTodos(ctx, ListTodos.parse({ status: 'pending', limit: resourceLimits.suggestions }))
  return { resources: todos.map(({ id, title }) => ({ uri: `${ITEM}${id}`, name: oneLine(title) })) }
}

/** Ids that begin with `typed`, or whose todos contain it. */
async function suggest(ctx: UserContext, typed: string): Promise<string[]> {
  const query = ListTodos.safeParse({ q: typed, limit: resourceLimits.suggestions })
  const looksLikeId = /^[0-9a-f-]{1,36}$/i.test(typed)
  const [latest, found] = await Promise.all([
    looksLikeId || typed === '' ? listTodos(ctx, ListTodos.parse({ limit: 100 })) : undefined,
    typed === '' || !query.success ? undefined : listTodos(ctx, query.data),
  ])
  const byId = latest?.todos.filter(({ id }) => id.startsWith(typed.toLowerCase())) ?? []
  return [...new Set([...byId, ...(found?.todos ?? [])].map(({ id }) => id))].slice(0, resourceLimits.suggestions)
}
