// A row of `todos` in its shape on the wire: what is answered, and what events carry.
import { raw, sql } from '@todo/prisma'
import { priorities } from './schema.ts'

/** A moment as the wire has it. */
const moment = (column: string) => raw(`to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${column}`)

export const columns = sql`id, user_id, title, description, completed_at IS NOT NULL AS completed, ${moment('completed_at')},
  (ARRAY[${raw(priorities.map((name) => `'${name}'`).join())}])[priority] AS priority, tags,
  to_char(due_date, 'YYYY-MM-DD') AS due_date, to_char(due_time, 'HH24:MI') AS due_time, time_zone,
  ${moment('created_at')}, ${moment('updated_at')}`
