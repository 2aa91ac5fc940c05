// A database that does not answer is an error, never “I do not know that todo”.
import { afterAll, describe, expect, it } from 'vitest'
import type { UserContext } from '../../shared/core/context.ts'
import { asAppError } from '../../shared/core/failure.ts'
import { contextOf, newUser, testDeps } from '../../shared/testing/context.ts'
import { titlesOf } from './confirm.ts'
import { findTodo } from './lookup.ts'
import { createReader } from './rules/reader.ts'
import { targetsOf } from './rules/run.ts'
import type { Said, Scene } from './rules/types.ts'
import { ChatState } from './state.ts'

const world = testDeps()
const away = testDeps({ DATABASE_URL: 'postgresql://nobody:none@127.0.0.1:1/none' })
afterAll(async () => {
  await world.deps.db.close()
  await away.deps.db.close()
})

const GONE = { id: '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10', title: 'Milk' }
const kindOf = (error: unknown) => asAppError(error).kind

/** The part of a scene that looking up todos needs. */
function sceneOf(ctx: UserContext): Pick<Scene, 'ctx' | 'moment' | 'reader' | 'state'> {
  const state = ChatState.parse({ shown: [GONE], focus: [GONE] })
  return { ctx, state, reader: createReader(ctx), moment: { now: new Date(), zone: { name: 'UTC', known: true } } }
}
const said = (chosen?: (typeof GONE)[]): Said => ({ clause: '', unmask: (text) => text, chosen })

const lookups: [string, (ctx: UserContext) => Promise<unknown>, unknown][] = [
  ['a todo by its id', (ctx) => findTodo(ctx, GONE.id), undefined],
  ['the titles that a question names', (ctx) => titlesOf(ctx, [{ name: 'delete_task', arguments: { todo_id: GONE.id } }]), new Map()],
  ['“it”', (ctx) => targetsOf(sceneOf(ctx), said(), 'it', 'delete'), { kind: 'none', why: expect.stringContaining('do not know') }],
  ['“them”', (ctx) => targetsOf(sceneOf(ctx), said(), 'them', 'delete'), { kind: 'none', why: expect.stringContaining('do not know') }],
  [
    'a place in a list',
    (ctx) => targetsOf(sceneOf(ctx), said(), '1', 'delete'),
    { kind: 'none', why: expect.stringContaining('do not know') },
  ],
  ['a chosen todo', (ctx) => targetsOf(sceneOf(ctx), said([GONE]), 'x', 'delete'), { kind: 'none', why: 'It is gone already.' }],
]

describe.each(lookups)('looking up %s', (_, look, missing) => {
  it('finds nothing when the todo was deleted', async () => {
    const user = await newUser(world)
    expect(await look(contextOf(world.deps, user))).toEqual(missing)
  })

  it('fails when the database does not answer', async () => {
    const outcome = look(contextOf(away.deps, { id: 'u', email: 'u@example.com' })).catch(kindOf)
    expect(await outcome).toBe('unavailable')
  })
})
