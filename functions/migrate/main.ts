// The image's entry: brings the database up to date and ends. A Job on a cluster, run before the functions' new revisions.
import { migrate } from '@todo/prisma/migrate'
import { databaseOptions, readEnv } from '../../shared/runtime/env.ts'
import { endWith } from '../../shared/runtime/serve.ts'

// Not when nothing is left to wait for: the engine leaves the timer of its lock behind, and would keep the Job for ten seconds.
void run().then(() => process.exit(), endWith)

async function run(): Promise<void> {
  const { applied, retried } = await migrate(databaseOptions(readEnv(process.env)))
  for (const name of retried) process.stdout.write(`Tried again: ${name}\n`)
  process.stdout.write(applied.length > 0 ? `Applied: ${applied.join(', ')}\n` : 'Nothing to apply.\n')
}
