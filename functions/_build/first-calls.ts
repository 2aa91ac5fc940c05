// What wakes each function up: a request that reads the database. Cold starts are measured with it, and code caches are taken after it.
import { PASSWORD, type User } from './world.ts'

export type FirstCall = { path: string; init: { method?: string; headers: Record<string, string>; body?: string } }

const json = { 'content-type': 'application/json' }
const signed = ({ authorization }: User) => ({ headers: { authorization } })

export const firstCalls = {
  todos: (user) => ({ path: `/api/v1/${user.id}/todos?limit=20`, init: signed(user) }),
  users: (user) => ({ path: '/api/v1/me', init: signed(user) }),
  auth: ({ email }) => ({
    path: '/api/v1/users/login',
    init: { method: 'POST', headers: json, body: JSON.stringify({ email, password: PASSWORD }) },
  }),
  chat: (user) => ({ path: '/api/v1/conversations', init: signed(user) }),
  mcp: ({ authorization }) => ({
    path: '/api/v1/mcp',
    init: {
      method: 'POST',
      headers: { ...json, accept: 'application/json, text/event-stream', authorization },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_tasks', arguments: {} } }),
    },
  }),
  events: () => ({
    path: '/',
    init: {
      method: 'POST',
      headers: { ...json, 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/bench', 'ce-type': 'dev.knative.sources.ping' },
      body: '{}',
    },
  }),
} satisfies Record<string, (user: User) => FirstCall>
