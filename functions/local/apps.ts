// The one table of functions: which app each name stands for.
import type { AnyApp } from '../../shared/http/types.ts'
import type { Deps } from '../../shared/runtime/deps.ts'
import type { Env } from '../../shared/runtime/env.ts'
import { authApp } from '../auth/app.ts'
import { createAuthDeps } from '../auth/deps.ts'
import { chatApp } from '../chat/app.ts'
import { createChatDeps } from '../chat/deps.ts'
import { eventsApp } from '../events/app.ts'
import { mcpApp } from '../mcp/app.ts'
import { createMcpDeps } from '../mcp/deps.ts'
import { todosApp } from '../todos/app.ts'
import { usersApp } from '../users/app.ts'

export type FunctionName = 'auth' | 'users' | 'todos' | 'chat' | 'mcp' | 'events'

/** The app of every function, with the parts of their dependencies that a process with all of them needs. */
export function createApps(env: Env, deps: Deps) {
  const auth = createAuthDeps(env, deps)
  const mcp = createMcpDeps(env, deps)
  const apps: Record<FunctionName, AnyApp> = {
    auth: authApp(auth),
    users: usersApp(deps),
    todos: todosApp(deps),
    chat: chatApp(createChatDeps(env, deps)),
    mcp: mcpApp(mcp),
    events: eventsApp(deps),
  }
  return { apps, passwords: auth.passwords, sockets: mcp.sockets }
}
