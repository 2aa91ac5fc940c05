// How a process exits that could not start: the error's class decides.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'

const href = (file: string) => JSON.stringify(pathToFileURL(path.join(import.meta.dirname, file)).href)

function endingWith(error: string) {
  const script = `import { endWith } from ${href('serve.ts')}
    import { EnvError } from ${href('env.ts')}
    import { StartupError } from '@todo/prisma/startup-error'
    endWith(${error})`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

it.each(['EnvError', 'StartupError'])('ends with the message of a %s as one line, without a stack', (name) => {
  expect(endingWith(`new ${name}('the disk is full:\\n  free some space')`)).toEqual({
    status: 1,
    stdout: '',
    stderr: 'the disk is full: free some space\n',
  })
})

it('logs any other error with its stack, regardless of its message', () => {
  const { status, stdout, stderr } = endingWith("new TypeError('DATABASE_URL: is undefined')")
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
  expect(JSON.parse(stdout)).toMatchObject({ level: 'error', error: 'TypeError', error_stack: expect.stringContaining('at ') })
})
