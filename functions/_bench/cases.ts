// What is set side by side wherever a process is measured as a whole: the least that Node can do, the twin, and each function.
import { type FirstCall, firstCalls } from '../_build/first-calls.ts'
import type { User } from '../_build/world.ts'
import { bare, bundle } from './processes.ts'
import { buildTwin } from './twins.ts'

export type Case = { name: string; script: string; first: (user: User) => FirstCall; owed?: string }

/** The bare process comes first: the others are measured against it. */
export async function makeCases(): Promise<Case[]> {
  return [
    { name: 'bare node:http', script: bare, first: firstCalls.todos },
    { name: 'node:http + pg twin of todos', script: await buildTwin(), first: firstCalls.todos },
    ...Object.entries(firstCalls).map(([name, first]) => ({
      name,
      script: bundle(name),
      first,
      ...(name === 'todos' ? { owed: '≤ 2.00 ×' } : {}),
    })),
  ]
}
