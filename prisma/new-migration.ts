// `npm run db:new -- <name>`: writes the migration that leads from the existing ones to schema.prisma, for a person to review.
import { startTemporary } from './embedded.ts'
import { migrate, pendingChanges, writeMigration } from './migrate.ts'

const [name = ''] = process.argv.slice(2)
if (!/^[a-z][a-z0-9_]{0,60}$/.test(name)) {
  process.stderr.write('usage: npm run db:new -- <name>, in lower case with underscores, e.g. add_reminders\n')
  process.exit(1)
}

const server = await startTemporary()
try {
  const connection = { url: await server.database('scratch') }
  await migrate(connection)
  const sql = await pendingChanges(connection)
  process.stdout.write(
    sql === '' ? 'The migrations already make what schema.prisma says.\n' : `Wrote ${await writeMigration(name, sql)}: please review it.\n`,
  )
} finally {
  await server.stop()
}
