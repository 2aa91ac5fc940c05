// What a test may take that starts processes: seconds on a quiet machine, a minute on a busy one. Imported for this effect alone.
import { vi } from 'vitest'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
