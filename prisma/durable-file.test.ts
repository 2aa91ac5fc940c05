import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readOrMake, writeDurably } from './durable-file.ts'

async function newFile(content?: string) {
  const home = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-file-'))
  onTestFinished(() => fs.rm(home, { recursive: true }))
  const file = path.join(home, 'secret')
  if (content !== undefined) await fs.writeFile(file, content)
  return file
}

it('makes a secret once, however many ask for it at the same time, and leaves nothing else behind', async () => {
  const file = await newFile()
  let count = 0
  const texts = await Promise.all(Array.from({ length: 20 }, () => readOrMake(file, () => `secret ${count++}`)))
  expect(new Set(texts).size).toBe(1)
  expect(await readOrMake(file, () => 'another')).toBe(texts[0])
  expect(await fs.readdir(path.dirname(file))).toEqual(['secret'])
  expect((await fs.stat(file)).mode & 0o777).toBe(0o600)
})

it.each(['', '\n'])('makes a secret anew that a crash has left as %j', async (content) => {
  const file = await newFile(content)
  expect(await readOrMake(file, () => 'new')).toBe('new')
  expect(await fs.readFile(file, 'utf8')).toBe('new')
})

it('replaces a file by one that its owner alone may read', async () => {
  const file = await newFile('old')
  await writeDurably(file, 'new')
  expect(await fs.readFile(file, 'utf8')).toBe('new')
  expect((await fs.stat(file)).mode & 0o777).toBe(0o600)
  expect(await fs.readdir(path.dirname(file))).toEqual(['secret'])
})
