import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['functions/**/*.test.ts', 'shared/**/*.test.ts', 'prisma/**/*.test.ts', 'knative/**/*.test.ts'],
    globalSetup: 'shared/testing/server.ts',
    pool: 'threads',
    maxWorkers: 2,
    testTimeout: 60_000,
    // How long a condition may take to come true on a busy machine; one that does takes milliseconds.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 60_000,
    sequence: { shuffle: true },
  },
})
