// The time zone in which a user means "tomorrow at nine".
import { sql } from '@todo/prisma'
import { z } from 'zod'
import type { Zone } from '../core/calendar.ts'
import type { UserContext } from '../core/context.ts'

const ZoneRow = z.strictObject({ time_zone: z.string() })

/** The zone that the request names; else that of the user's latest todo with a zone; else UTC. */
export async function zoneOf({ db, actor }: UserContext, requested: string | undefined): Promise<Zone> {
  if (requested !== undefined) return { name: requested, known: true }
  const [latest] = await db.query(
    sql`
      SELECT time_zone FROM todos WHERE user_id = ${actor.userId} AND time_zone IS NOT NULL
      ORDER BY created_at DESC, id DESC LIMIT 1`,
    ZoneRow,
  )
  return latest ? { name: latest.time_zone, known: true } : { name: 'UTC', known: false }
}
