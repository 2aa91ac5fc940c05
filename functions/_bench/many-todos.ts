// Users with many todos, among other users' rows, inserted by one statement because a million inserts take too long.
import type pg from 'pg'
import type { User } from '../_build/world.ts'

/**
 * Nine in ten are completed, six in ten have a due date, one word and one tag in the middle are rare. The columns are independent of one
 * another, because hashes choose their values.
 */
const INSERT = `
  INSERT INTO todos (id, user_id, title, description, completed_at, priority, tags, due_date, due_time, created_at, updated_at)
  SELECT uuidv7(age), $1,
    (ARRAY['Buy', 'Call', 'Write', 'Read', 'Fix', 'Plan', 'Visit', 'Pay'])[1 + h1 % 8] || ' '
      || (ARRAY['milk', 'the bank', 'a letter', 'chapter', 'the bike', 'a trip', 'grandma', 'rent'])[1 + h1 / 8 % 8] || ' ' || n
      || CASE WHEN n = $2::int / 2 THEN ' zeppelin' ELSE '' END,
    CASE WHEN h1 / 64 % 10 = 0 THEN 'Not before ' || n END,
    CASE WHEN h1 / 640 % 10 > 0 THEN now() + age END,
    h1 / 6400 % 4,
    ARRAY['tag' || h2 % 40] || CASE WHEN n = $2::int / 2 THEN ARRAY['rare'] ELSE ARRAY[]::text[] END,
    CASE WHEN h2 / 40 % 10 < 6 THEN CURRENT_DATE + (h2 / 400 % 1500 - 1400) END,
    CASE WHEN h2 / 40 % 10 < 3 THEN TIME '09:30' END,
    now() + age, now() + age
  FROM generate_series(1, $2::int) AS n,
    LATERAL (SELECT (n - $2::int) * interval '1 second' AS age, abs(hashint4(n)) AS h1, abs(hashint4(-n)) AS h2) AS made`

/**
 * Adds the todos, creates the indexes anew, and updates the planner's statistics as autovacuum would have. Takes about 40 s a million.
 */
export async function addManyTodos(client: pg.Client, many: readonly { user: User; count: number }[]): Promise<void> {
  const { rows: indexes } = await client.query<{ name: string; definition: string }>(`
    SELECT relname AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE indrelid = 'todos'::regclass AND NOT indisprimary`)
  for (const { name } of indexes) await client.query(`DROP INDEX ${name}`)
  // Skips the check of the foreign key for every row.
  await client.query('SET session_replication_role = replica')
  await client.query(`SET maintenance_work_mem = '256MB'`)
  for (const { user, count } of many) await client.query(INSERT, [user.id, count])
  for (const { definition } of indexes) await client.query(definition)
  await client.query('SET session_replication_role = DEFAULT')
  await client.query('VACUUM (ANALYZE) todos')
}
