// Moving a day by an amount.
import { expect, it } from 'vitest'
import { exampleTodo } from '../../../shared/todos/schema.ts'
import { type Shift, shifted } from './shifts.ts'

const TODAY = '2027-01-13'
const dayOf = (due_date: string | null, count: number, unit: Shift['unit'], from: Shift['from'] = 'due') =>
  shifted({ ...exampleTodo, due_date, due_time: '23:30' }, { count, unit, from }, TODAY)

it('counts from the day of the todo, over the ends of months and years', () => {
  expect(dayOf('2027-01-01', -1, 'day')).toEqual({ due_date: '2026-12-31' })
  expect(dayOf('2027-12-30', 1, 'week')).toEqual({ due_date: '2028-01-06' })
  expect(dayOf('2027-01-31', 1, 'month')).toEqual({ due_date: '2027-02-28' })
  expect(dayOf('2027-03-31', -13, 'month')).toEqual({ due_date: '2026-02-28' })
  expect(dayOf('2027-12-31', 1, 'hour')).toEqual({ due_date: '2028-01-01', due_time: '00:30' })
})

it('counts from today what is put off after its day has passed or without one', () => {
  expect(dayOf('2027-01-01', 2, 'day', 'today')).toEqual({ due_date: '2027-01-15' })
  expect(dayOf(null, 2, 'day', 'today')).toEqual({ due_date: '2027-01-15' })
  expect(dayOf('2027-01-20', 2, 'day', 'today')).toEqual({ due_date: '2027-01-22' })
})

it('moves nothing that has no day or time to count from', () => {
  expect(dayOf(null, 1, 'day')).toBeUndefined()
  expect(shifted({ ...exampleTodo, due_time: null }, { count: 1, unit: 'hour', from: 'due' }, TODAY)).toBeUndefined()
})
