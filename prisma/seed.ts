// A demo account with a few todos, for a first look. Never for a database that others can reach: its password is public.
import type { Db } from './index.ts'

export const demo = { email: 'demo@example.com', username: 'demo', password: 'demo-password' }

const DEMO_ID = '019e1c00-0000-7000-8000-000000000001'
const todoId = (index: number) => `019e1c00-0000-7000-8000-0000000001${String(index).padStart(2, '0')}`

/** Adds the demo account if missing. Its todos are added only once, so that the user's changes stay. */
export async function seed(db: Db, passwordHash: string): Promise<void> {
  const { email, username } = demo
  const prisma = await db.prisma()
  const { count } = await prisma.user.createMany({
    data: { id: DEMO_ID, email, username, usernameKey: username, passwordHash },
    skipDuplicates: true,
  })
  if (count === 0) return
  const todos = [
    { title: 'Look at the API reference', description: 'It is at /docs', priority: 3, tags: ['start-here'] },
    { title: 'Buy milk', tags: ['shopping'], dueDate: new Date(new Date().toISOString().slice(0, 10)) },
    { title: 'Start the server', completedAt: new Date() },
  ]
  await prisma.todo.createMany({ data: todos.map((todo, index) => ({ ...todo, id: todoId(index), userId: DEMO_ID })) })
}
