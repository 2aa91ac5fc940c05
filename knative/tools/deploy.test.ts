// The deploy script: what it plans, how it runs it, and that README's chapter shows the same commands.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployable, planDeployment, quote, UsageError } from './commands.ts'

const plan = (line: string) => planDeployment(line.split(' ').filter(Boolean)).commands.map(quote)

describe('what is deployed', () => {
  it('is one function, as its file has it', () => {
    expect(plan('todos')).toEqual(['kn service apply todos --filename knative/services/todos.yaml --namespace todo'])
  })

  it('is another image of it, when one is named', () => {
    expect(plan('todos --tag 0.2.0 --namespace other')).toEqual([
      'kn service apply todos --filename knative/services/todos.yaml --namespace other --image dev.local/todo-todos:0.2.0',
    ])
    expect(plan('todos --registry ghcr.io/example')).toEqual([
      expect.stringMatching(/ --image ghcr\.io\/example\/todo-todos:\d+\.\d+\.\d+$/),
    ])
  })

  it('is every function that has a file', () => {
    expect(plan('all').map((line) => line.split(' ')[3])).toEqual(deployable())
    expect(deployable()).toContain('todos')
  })

  it('is the chart, with values and an image', () => {
    expect(plan('chart --values a.yaml --values b.yaml --tag 1.0 --registry ghcr.io/example')).toEqual([
      'helm upgrade --install todo knative --namespace todo --create-namespace --values a.yaml --values b.yaml --set-string image.tag=1.0 --set-string image.registry=ghcr.io/example',
    ])
  })

  it('is built and loaded before, with the migrations for the chart', () => {
    expect(plan('users --tag 1 --build --load kind')).toEqual([
      'docker build --build-arg FUNCTION=users --tag dev.local/todo-users:1 .',
      'kind load docker-image dev.local/todo-users:1 --name knative',
      'kn service apply users --filename knative/services/users.yaml --namespace todo --image dev.local/todo-users:1',
    ])
    expect(plan('chart --build').filter((line) => line.includes('FUNCTION=migrate'))).toHaveLength(1)
    expect(plan('users --tag 1 --load minikube')).toContain('minikube image load dev.local/todo-users:1 --profile knative')
  })

  it.each([
    ['', 'say one target'],
    ['todos users', 'say one target'],
    ['todo', 'there is no todo; there are auth, chat,'],
    ['../etc', 'there is no ../etc'],
    ['todos --tga 1', "Unknown option '--tga'"],
    ['todos --tag', "'--tag <value>' argument missing"],
    ['todos --tag $(id)', '--tag $(id) is no tag'],
    ['todos --namespace Todo', '--namespace Todo is no namespace'],
    ['todos --registry https://ghcr.io', 'is no registry'],
    ['todos --load docker', '--load takes kind or minikube'],
    ['todos --values a.yaml', '--values is for the chart'],
  ])('is nothing for %j', (line, message) => {
    expect(() => plan(line)).toThrow(UsageError)
    expect(() => plan(line)).toThrow(message)
  })

  it('is quoted for a shell', () => {
    const command = quote(['kn', 'a b', "it's", '$HOME', 'a=b', ''])
    expect(command).toBe(`kn 'a b' 'it'\\''s' '$HOME' a=b ''`)
    expect(spawnSync('sh', ['-c', `printf '%s|' ${command}`], { encoding: 'utf8' }).stdout).toBe(`kn|a b|it's|$HOME|a=b||`)
  })
})

describe("README's chapter", () => {
  const readme = fs.readFileSync(path.join(import.meta.dirname, '..', '..', 'README.md'), 'utf8')
  const [chapter = ''] = /^## On a cluster$[\s\S]*?(?=^## )/m.exec(readme) ?? []
  const blocks = [...chapter.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split('\n'))
  const lines = blocks.map((line) => line.replace(/\s+#.*$/, '').trim())
  const deploys = lines.flatMap((line) => /^npm run deploy -- (.*)$/.exec(line)?.[1] ?? [])

  it('shows deployments that the script knows', () => {
    expect(deploys.length).toBeGreaterThan(4)
    for (const line of deploys) expect(() => plan(line), line).not.toThrow()
  })

  it('shows the commands that the script prints', () => {
    const shown = lines.filter((line) => /^(kn service apply|helm upgrade|docker build|kind load|minikube image) /.test(line))
    const printed = [...deploys, 'todos', 'todos --tag 0.2.0'].flatMap(plan)
    expect(shown.length).toBeGreaterThan(2)
    expect(shown.filter((line) => !printed.includes(line))).toEqual([])
  })

  it('names files and values that are there', () => {
    const files = [...chapter.matchAll(/\bknative\/[\w./-]+\.yaml\b/g)].map(([file]) => file)
    expect(files.filter((file) => !fs.existsSync(path.join(import.meta.dirname, '..', '..', file)))).toEqual([])
  })
})

describe('npm run deploy', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-deploy-'))
  afterAll(() => fs.rmSync(folder, { recursive: true }))
  beforeAll(() => {
    // In kn's place: says how it was called, and fails for one of the functions.
    fs.writeFileSync(path.join(folder, 'kn'), '#!/bin/sh\necho "called $#: $*"\ntest "$3" != users || exit 7\n', { mode: 0o755 })
  })
  const deploy = (...args: string[]) => {
    const env = { PATH: `${folder}:/usr/bin:/bin` }
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(import.meta.dirname, 'deploy.ts'), ...args], {
      encoding: 'utf8',
      env,
    })
    return { status, out: stdout.split('\n').filter(Boolean), stderr }
  }

  it('prints, and runs nothing', () => {
    expect(deploy('todos')).toEqual({ status: 0, out: plan('todos'), stderr: 'Nothing has been run: --apply runs it.\n' })
  })

  it('with --apply runs what it prints', () => {
    const [line = ''] = plan('todos')
    expect(deploy('todos', '--apply')).toEqual({ status: 0, out: [line, `called 7: ${line.slice(3)}`], stderr: '' })
  })

  it('ends where a command fails, with its code', () => {
    expect(deploy('users', '--apply').status).toBe(7)
    const { status, out } = deploy('all', '--apply')
    expect([status, out.filter((line) => line.startsWith('kn ')).length]).toEqual([7, deployable().indexOf('users') + 1])
    expect(deploy('todos', '--load', 'kind', '--apply')).toMatchObject({ status: 127, stderr: 'kind cannot be run: is it on the PATH?\n' })
  })

  it('says how it is used', () => {
    expect(deploy('nothing')).toMatchObject({ status: 2, out: [], stderr: expect.stringContaining('there is no nothing') })
    expect(deploy('--help')).toMatchObject({ status: 0, stderr: '' })
  })
})
