// The image's entry: applies the missing migrations and exits. On a cluster it is a Job that runs before the functions' new revisions.
import { migrate } from '@todo/prisma/migrate'
import { databaseOptions, readEnv } from '../../shared/runtime/env.ts'
import { endWith } from '../../shared/runtime/serve.ts'

// Exit explicitly: Prisma's engine leaves a 10 s timer.
void run().then(() => process.exit(), endWith)

async function run(): Promise<void> {
  const { applied, retried } = await migrate(databaseOptions(readEnv(process.env)))
  for (const name of retried) process.stdout.write(`Retried: ${name}\n`)
  process.stdout.write(applied.length > 0 ? `Applied: ${applied.join(', ')}\n` : 'Nothing to apply.\n')
}
