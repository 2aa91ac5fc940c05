// A user who talks to chat over HTTP: one conversation, and what each message was answered with.

import type { Prisma } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { answer, newUser, type testDeps } from '../../../shared/testing/context.ts'
import type { ChatApp } from '../app.ts'
import { ChatReply } from '../contract.ts'

type World = ReturnType<typeof testDeps>
export type Row = Omit<Prisma.TodoCreateManyInput, 'id' | 'userId'>

/** A new user with these todos; the first of them was created last, so lists show them in this order. */
export async function createTalker(world: World, app: ChatApp, todos: readonly Row[], zone = 'Europe/Berlin') {
  const user = await newUser(world)
  const { db } = world.deps
  const now = Date.now()
  const rows = todos.map((todo, index) => ({ createdAt: new Date(now - (index + 1) * 1000), ...todo, id: uuidv7(), userId: user.id }))
  await (await db.prisma()).todo.createMany({ data: rows })
  let conversation_id: string | undefined
  return {
    user,
    rows,
    /** Sends a message in the same conversation. */
    async say(message: string): Promise<ChatReply> {
      const sent = await app.request('/api/v1/chat', {
        method: 'POST',
        headers: { ...user.headers, 'content-type': 'application/json', 'x-time-zone': zone },
        body: JSON.stringify({ message, conversation_id }),
      })
      const reply = await answer(sent, ChatReply)
      conversation_id = reply.conversation_id
      return reply
    },
    open: async () => (await db.prisma()).todo.count({ where: { userId: user.id, completedAt: null } }),
    all: async () => (await db.prisma()).todo.count({ where: { userId: user.id } }),
    titles: async () =>
      (await (await db.prisma()).todo.findMany({ where: { userId: user.id }, orderBy: { createdAt: 'desc' } })).map(({ title }) => title),
  }
}
