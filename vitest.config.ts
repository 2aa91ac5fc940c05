// Three projects: `unit` needs no database, `integration` runs against PostgreSQL, `e2e` starts the functions as processes.
import { globSync, readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

const TESTS = '{functions,shared,prisma,knative}/**/*.test.ts'
const E2E = 'functions/_e2e/*.test.ts'
/** A test file that uses one of these needs a database. It fails in the project `unit`, which has none. */
const DATABASE = /testing\/(context|process|sink)\.ts'|\/testing\.ts'|inject\('databaseUrl'\)|'@todo\/prisma\/embedded'/

const unit = globSync(TESTS, { cwd: import.meta.dirname, exclude: [E2E, '**/node_modules/**'] }).filter(
  (file) => !DATABASE.test(readFileSync(`${import.meta.dirname}/${file}`, 'utf8')),
)
const database = { globalSetup: 'shared/testing/server.ts' }
// Generous, because a busy machine is slow: a test that passes takes milliseconds, and one that starts processes takes seconds.
const patience = (ms: number) => ({ testTimeout: ms, hookTimeout: ms })

export default defineConfig({
  test: {
    pool: 'threads',
    // One more than the cores that CI has, because many tests wait for processes and clocks.
    maxWorkers: 3,
    sequence: { shuffle: true },
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'unit', include: unit, ...patience(60_000) } },
      { extends: true, test: { name: 'integration', include: [TESTS], exclude: [E2E, ...unit], ...database, ...patience(60_000) } },
      { extends: true, test: { name: 'e2e', include: [E2E], ...database, ...patience(180_000) } },
    ],
  },
})
