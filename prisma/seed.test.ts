import { expect, inject, it, onTestFinished } from 'vitest'
import { createDb } from './index.ts'
import { migrate } from './migrate.ts'
import { demo, seed } from './seed.ts'
import { newDatabase } from './testing.ts'

it('adds the demo account with its todos once, over many concurrent calls, and keeps later changes', async () => {
  const { url, drop } = await newDatabase(inject('databaseUrl'))
  await migrate({ url })
  const db = createDb({ url })
  onTestFinished(async () => {
    await db.close()
    await drop()
  })
  await Promise.all([seed(db, 'first'), seed(db, 'first'), seed(db, 'first')])
  expect(await (await db.prisma()).user.findMany()).toMatchObject([{ email: demo.email, username: demo.username, passwordHash: 'first' }])
  expect(await (await db.prisma()).todo.count()).toBe(3)
  await (await db.prisma()).todo.deleteMany({ where: { title: 'Buy milk' } })
  await seed(db, 'second')
  expect(await (await db.prisma()).user.findMany()).toMatchObject([{ passwordHash: 'first' }])
  expect(await (await db.prisma()).todo.count()).toBe(2)
})
