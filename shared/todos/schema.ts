// What a todo is and what may be said about one: the only place that knows its fields, limits and words.
import { z } from 'zod'
import { text } from '../core/text.ts'

/** In ascending order. */
export const priorities = ['low', 'medium', 'high'] as const

export const Title = text(1, 255).describe('What is to be done; 1 to 255 characters after trimming')
const Description = text(0, 1000).nullable().describe('Details, at most 1000 characters')
const Priority = z.enum(priorities).describe('low, medium or high')
const Tag = text(1, 50)
const Tags = z.array(Tag).max(10).describe('At most 10 labels of 1 to 50 characters; duplicates are dropped')
export const CalendarDate = z.iso
  .date({ error: 'must be a day, YYYY-MM-DD', abort: true })
  .refine((value) => value >= '0001-01-01', 'must lie in the years 0001 to 9999')
const DueDate = CalendarDate.nullable().describe('The day it is due, YYYY-MM-DD')
const DueTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day, HH:MM')
  .nullable()
  .describe('The time it is due on that day, HH:MM on a 24-hour clock; needs a due_date')
/** The name of an IANA time zone. */
export const TimeZone = z.string().max(64).refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin')
const DueZone = TimeZone.nullable().describe('The IANA time zone that due_date and due_time are meant in')

export const exampleTodo = {
  id: '019e1c6a-7b1e-7c52-9a3f-2f1d4b8e6a10',
  user_id: '019e1c69-02aa-7f7e-8d55-61c0f3b7d9e4',
  title: 'Buy milk',
  description: null,
  completed: false,
  completed_at: null,
  priority: 'high' as const,
  tags: ['shopping'],
  due_date: '2027-01-15',
  due_time: '09:30',
  time_zone: 'Europe/Berlin',
  created_at: '2027-01-10T08:15:30.123Z',
  updated_at: '2027-01-10T08:15:30.123Z',
}

export const Todo = z
  .strictObject({
    id: z.uuid(),
    user_id: z.string().describe('The owner: always the caller'),
    title: Title,
    description: Description,
    completed: z.boolean(),
    completed_at: z.iso.datetime().nullable().describe('When it was completed'),
    priority: Priority.nullable(),
    tags: Tags,
    due_date: DueDate,
    due_time: DueTime,
    time_zone: DueZone,
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime().describe('Changes when, and only when, something else did'),
  })
  .meta({ id: 'Todo', example: exampleTodo })
export type Todo = z.output<typeof Todo>

const writable = {
  title: Title,
  description: Description.optional(),
  completed: z.boolean().optional(),
  priority: Priority.nullable().optional(),
  tags: Tags.nullable().optional(),
  due_date: DueDate.optional(),
  due_time: DueTime.optional(),
  time_zone: DueZone.optional(),
}

export const CreateTodo = z
  .strictObject(writable)
  .meta({ example: { title: 'Buy milk', priority: 'high', tags: ['shopping'], due_date: '2027-01-15' } })

export const TodoRef = z.strictObject({ todo_id: z.uuid('must be a UUID, as lists show it').describe("The todo's id") })

export const UpdateTodo = z
  .strictObject({ ...TodoRef.shape, ...writable, title: Title.optional() })
  .meta({ example: { title: 'Buy oat milk', due_date: null } })

export const CompleteTodo = z
  .strictObject({ ...TodoRef.shape, completed: z.boolean().optional().describe('Leave out to toggle') })
  .meta({ example: { completed: true } })

export const DeletedTodo = z
  .strictObject({ success: z.literal(true), message: z.string() })
  .meta({ example: { success: true, message: 'Todo deleted successfully' } })

export const sorts = ['created', '-created', 'updated', '-updated', 'title', '-title', 'due', '-due', 'priority', '-priority'] as const
export type Sort = (typeof sorts)[number]

export const ListTodos = z.strictObject({
  status: z.enum(['all', 'pending', 'completed']).optional().describe('Default: all'),
  priority: Priority.optional(),
  tag: Tag.optional().describe('Has exactly this tag'),
  q: text(0, 255).optional().describe('Title or description contains this text, in upper or lower case'),
  due_before: CalendarDate.optional().describe('Due before this day, which is not included; never matches a todo without a due_date'),
  due_after: CalendarDate.optional().describe('Due after this day, which is not included; never matches a todo without a due_date'),
  sort: z
    .enum(sorts)
    .default('-created')
    .describe('`-` for descending. Without a due_date a todo is due last, without a time at the end of its day; no priority is below low'),
  limit: z.int().min(1).max(500).default(500).describe('Todos a page'),
  // A title of 255 control characters, escaped in JSON and then in base64, takes 2,200.
  cursor: z.string().max(2500).optional().describe('`next_cursor` of the page before'),
})

export const TodoPage = z
  .strictObject({
    todos: z.array(Todo),
    count: z.int().min(0).describe('How many todos are on this page'),
    next_cursor: z.string().nullable().describe('Opaque; null on the last page'),
  })
  .meta({ id: 'TodoPage', example: { todos: [exampleTodo], count: 1, next_cursor: null } })

function isTimeZone(value: string): boolean {
  // Intl also takes offsets such as +02:00, which are no IANA zones: they know no daylight saving.
  if (!/^[A-Za-z]/.test(value)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: value }) !== undefined
  } catch {
    return false
  }
}
