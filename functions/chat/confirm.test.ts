// The packed form of calls that need a confirmation.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { packCalls, unpackCalls } from './confirm.ts'

const anyCall = fc.oneof(
  fc.record({ name: fc.constant('delete_task'), arguments: fc.record({ todo_id: fc.uuid() }) }),
  fc.record({ name: fc.constant('complete_task'), arguments: fc.record({ todo_id: fc.uuid(), completed: fc.constant(true) }) }),
  fc.record({ name: fc.constant('update_task'), arguments: fc.record({ todo_id: fc.uuid(), title: fc.constantFrom('A', 'B') }) }),
)

it('unpacks the same calls in the same order', () => {
  fc.assert(
    fc.property(fc.array(anyCall, { maxLength: 30 }), (calls) => {
      expect(unpackCalls(packCalls(calls))).toEqual(calls)
    }),
  )
})

it('packs thousands of similar calls into one', () => {
  const calls = Array.from({ length: 10_000 }, (_, index) => ({ name: 'delete_task', arguments: { todo_id: String(index) } }))
  expect(packCalls(calls)).toHaveLength(1)
  expect(JSON.stringify(packCalls(calls)).length).toBeLessThan(100_000)
})
