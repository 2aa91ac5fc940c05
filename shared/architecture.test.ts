// The rule of the house: who may import whom, and who may read the environment. In one picture:
//   main.ts, local.ts -> app.ts -> shared/http -> shared/operations -> @todo/prisma, shared/errors, shared/events
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '..')

type Rule = {
  /** Which files it is about. */
  of: RegExp
  /** What those may import: paths from the root, or package names. */
  may: RegExp
  because: string
}

const RULES: Rule[] = [
  { of: /^shared\/errors\.ts$/, may: /^$/, because: 'everything depends on it' },
  {
    of: /^shared\/operations\//,
    may: /^(shared\/(operations|events|errors\.ts)|@todo\/prisma$|zod$|uuid$|node:)/,
    because: 'operations know no HTTP, no model, no tokens',
  },
  {
    of: /^shared\/events\//,
    may: /^(shared\/(events|errors\.ts)|@todo\/prisma$|zod$|uuid$|cloudevents$|node:)/,
    because: 'events know no HTTP face',
  },
  {
    of: /^shared\/identity\//,
    may: /^(?!functions|hono|@hono|openai|@modelcontextprotocol)/,
    because: 'tokens and passwords know no HTTP',
  },
  { of: /^shared\//, may: /^(?!functions)/, because: 'what is shared knows no function' },
  { of: /^knative\//, may: /^(?!functions)/, because: 'what checks and deploys the functions runs none of them' },
  { of: /^prisma\//, may: /^(?!functions|shared|hono)/, because: 'the client package stands alone' },
]

/** These see several functions, or start them. */
const SEES_ALL = /^functions\/(local|docs|build)\.ts$|^functions\/(e2e|bench)\//
const READS_ENVIRONMENT =
  /^functions\/([a-z]+\/main|local|install|build)\.m?ts$|^functions\/install\.mjs$|^knative\/(check|deploy)\.ts$|^prisma\/(migrate|prisma\.config|embedded)\.ts$|^vitest\.config\.ts$/
const IS_TEST = /\.test\.ts$|^shared\/testing|^functions\/(e2e|bench)\//

/** What a file imports, statically or not, types included. */
function importsOf(file: string, source: string): string[] {
  const found = [...source.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, name = '']) => name)
  return found.map((name) => (name.startsWith('.') ? path.posix.join(path.posix.dirname(file), name) : name))
}

/** What is wrong with a file that imports these; empty when all is well. */
function breaches(file: string, source: string): string[] {
  const imports = importsOf(file, source)
  const rules = IS_TEST.test(file) ? [] : RULES.filter(({ of }) => of.test(file))
  const broken = rules.flatMap(({ may, because }) =>
    imports.filter((name) => !may.test(name)).map((name) => `${file} imports ${name}, but ${because}`),
  )
  const own = /^functions\/([a-z0-9-]+)\//.exec(file)?.[1]
  const others =
    own && !SEES_ALL.test(file)
      ? imports.filter((name) => /^functions\//.test(name) && !name.startsWith(`functions/${own}/`) && !IS_TEST.test(name))
      : []
  const environment = /\bprocess\.env\b/.test(source) && !READS_ENVIRONMENT.test(file) && !IS_TEST.test(file)
  return [
    ...broken,
    ...others.map((name) => `${file} imports ${name}, but no function knows another`),
    ...(environment ? [`${file} reads process.env, but only main.ts and local.ts may`] : []),
  ]
}

function sourceFiles(): string[] {
  return ['functions', 'knative', 'shared', 'prisma'].flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => path.posix.join(folder, file))
      .filter((file) => /\.m?ts$/.test(file) && !/generated|node_modules/.test(file)),
  )
}

describe('the house', () => {
  it('keeps to its import rule', () => {
    const files = sourceFiles()
    expect(files.length).toBeGreaterThan(30)
    expect(files.flatMap((file) => breaches(file, fs.readFileSync(path.join(root, file), 'utf8')))).toEqual([])
  })

  it.each([
    ['shared/todos/todos.ts', `import { Hono } from 'hono'`],
    ['shared/todos/todos.ts', `const { default: OpenAI } = await import('openai')`],
    ['shared/todos/todos.ts', `import { problem } from '../http/problem.ts'`],
    ['shared/todos/todos.ts', `const url = process.env.DATABASE_URL`],
    ['shared/core/errors.ts', `import { z } from 'zod'`],
    ['shared/http/app.ts', `import { todosApp } from '../../functions/todos/app.ts'`],
    ['functions/users/app.ts', `import { createAuthDeps } from '../auth/deps.ts'`],
    ['prisma/index.ts', `import { AppError } from './core/errors.ts'`],
  ])('would notice %s saying %s', (file, source) => {
    expect(breaches(file, source)).toHaveLength(1)
  })

  it('has no other top-level folders than the four', () => {
    const folders = fs.readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    const theirs = new Set(['functions', 'knative', 'prisma', 'shared', 'node_modules', 'dist'])
    expect(folders.map(({ name }) => name).filter((name) => !theirs.has(name))).toEqual([])
  })
})
