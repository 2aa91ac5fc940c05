import { connectionConfig } from '@todo/prisma'
import { describe, expect, it } from 'vitest'
import { createClientAddress } from '../http/client-address.ts'
import { databaseOptions, type Env, EnvError, foreignIssuer, ownIssuer, readEnv, variables } from './env.ts'

type Name = keyof typeof variables
const SECRET = 'x'.repeat(32)
const LONG = 'l'.repeat(256)

/** What each variable is without a value, some values it takes, and some it refuses. */
const TABLE: { [N in Name]: { fallback: Env[N]; takes: [string, Env[N]][]; refuses: string[] } } = {
  PORT: {
    fallback: 8000,
    takes: [
      ['0', 0],
      ['65535', 65_535],
    ],
    refuses: ['65536', '-1', '80.5', '0x50', ' 8000', 'http', '1e3'],
  },
  HOST: { fallback: undefined, takes: [['127.0.0.1', '127.0.0.1']], refuses: [LONG] },
  DATABASE_URL: { fallback: undefined, takes: [['postgresql://localhost/todo', 'postgresql://localhost/todo']], refuses: [] },
  DATABASE_ALLOW_INSECURE: {
    fallback: false,
    takes: [
      ['true', true],
      ['false', false],
    ],
    refuses: ['1', 'yes', 'TRUE'],
  },
  DATABASE_POOL_SIZE: {
    fallback: 5,
    takes: [
      ['1', 1],
      ['100', 100],
    ],
    refuses: ['0', '101', 'many'],
  },
  BETTER_AUTH_SECRET: { fallback: undefined, takes: [['é'.repeat(16), 'é'.repeat(16)]], refuses: ['hunter2', 'x'.repeat(31)] },
  BETTER_AUTH_SECRETS: {
    fallback: undefined,
    takes: [
      [`1:${SECRET}`, { current: '1', secrets: new Map([['1', Buffer.from(SECRET)]]) }],
      [
        ` b:${SECRET}:b , a:${SECRET}=`,
        {
          current: 'b',
          secrets: new Map([
            ['b', Buffer.from(`${SECRET}:b`)],
            ['a', Buffer.from(`${SECRET}=`)],
          ]),
        },
      ],
    ],
    refuses: [SECRET, `:${SECRET}`, '1:hunter2', `1:${SECRET},1:${SECRET}y`, `1:${SECRET},`, `1:${SECRET},2:hunter2`, `a b:${SECRET}`],
  },
  TOKEN_ISSUER: { fallback: 'todo-auth', takes: [['me', 'me']], refuses: [LONG] },
  TOKEN_AUDIENCE: { fallback: 'todo-api', takes: [['you', 'you']], refuses: [LONG] },
  TOKEN_LIFETIME_SECONDS: {
    fallback: 1800,
    takes: [
      ['60', 60],
      ['86400', 86_400],
    ],
    refuses: ['59', '86401', '30m'],
  },
  BETTER_AUTH_ISSUER: { fallback: undefined, takes: [['https://app.example.com', 'https://app.example.com']], refuses: [LONG] },
  BETTER_AUTH_JWKS_URL: {
    fallback: undefined,
    takes: ['https://app.example.com/jwks', 'http://localhost:3000/jwks', 'http://127.0.0.1/jwks', 'http://[::1]:3000/jwks'].map(
      (url): [string, string] => [url, url],
    ),
    refuses: [
      'app.example.com/jwks',
      'http://app.example.com/jwks',
      'http://localhost.example.com/jwks',
      'http://127.example.com/jwks',
      'http://localhost@app.example.com/jwks',
      'file:///etc/passwd',
    ],
  },
  BETTER_AUTH_AUDIENCE: { fallback: undefined, takes: [['https://app.example.com', 'https://app.example.com']], refuses: [LONG] },
  OPENAI_API_KEY: { fallback: undefined, takes: [['ollama', 'ollama']], refuses: [LONG] },
  OPENAI_BASE_URL: {
    fallback: undefined,
    takes: [['http://models.example.com:11434/v1', 'http://models.example.com:11434/v1']],
    refuses: ['localhost:11434', 'file:///etc/passwd'],
  },
  OPENAI_MODEL: { fallback: 'gpt-5-mini', takes: [['qwen3:8b', 'qwen3:8b']], refuses: [LONG] },
  CHAT_TOKENS_PER_DAY: { fallback: 200_000, takes: [['0', 0]], refuses: ['-1', 'many'] },
  K_SINK: {
    fallback: undefined,
    takes: [
      [
        'http://broker-ingress.knative-eventing.svc.cluster.local/todo/default',
        'http://broker-ingress.knative-eventing.svc.cluster.local/todo/default',
      ],
    ],
    refuses: ['broker', 'ftp://broker/', 'http://user:word@broker/'],
  },
  K_CE_OVERRIDES: {
    fallback: undefined,
    takes: [
      ['{}', {}],
      ['{"extensions":{"cluster":"blue","0":"ü"}}', { cluster: 'blue', 0: 'ü' }],
    ],
    refuses: [
      'cluster=blue',
      'null',
      '[]',
      '{"extensions":{"cluster":1}}',
      '{"extensions":{"Cluster":"blue"}}',
      '{"extensions":{"cluster":""}}',
      '{"extensions":{"data":"blue"}}',
      '{"extensions":{"id":"1"}}',
      '{"attributes":{}}',
    ],
  },
  CORS_ORIGINS: {
    fallback: [],
    takes: [
      ['*', ['*']],
      [' https://a.example.com, http://localhost:3000 ,loopback,', ['https://a.example.com', 'http://localhost:3000', 'loopback']],
    ],
    refuses: ['https://a.example.com/', 'a.example.com', 'https://*.example.com', 'null', 'https://A.example.com'],
  },
  TRUSTED_PROXIES: {
    fallback: { type: 'addresses', addresses: [] },
    takes: [
      ['hops:1', { type: 'hops', hops: 1 }],
      [' hops:9 ', { type: 'hops', hops: 9 }],
      [
        'loopback, 10.0.0.0/8, 203.0.113.1,2001:db8::/32,::1',
        { type: 'addresses', addresses: ['loopback', '10.0.0.0/8', '203.0.113.1', '2001:db8::/32', '::1'] },
      ],
    ],
    refuses: [
      '10.0.0.0/33',
      '10.0.0.0/0',
      '2001:db8::/129',
      'proxy.example.com',
      '10.0.0',
      'all',
      '10.0.0.0/8/8',
      'fe80::1%eth0',
      'uniquelocal',
      'loopback,linklocal',
      'hops:0',
      'hops:10',
      'hops:-1',
      'hops:',
      'hops:1,loopback',
      '1',
    ],
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    fallback: undefined,
    takes: [['http://otel-collector:4318', 'http://otel-collector:4318']],
    refuses: ['otel-collector:4317', 'grpc://otel-collector:4317'],
  },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    fallback: undefined,
    takes: [['https://collector.example.com/v1/traces', 'https://collector.example.com/v1/traces']],
    refuses: ['/v1/traces'],
  },
  K_SERVICE: { fallback: 'todo', takes: [['todos', 'todos']], refuses: [LONG] },
  LOG_LEVEL: {
    fallback: 'info',
    takes: [
      ['error', 'error'],
      ['warn', 'warn'],
    ],
    refuses: ['debug', 'INFO', '3'],
  },
  DATA_DIRECTORY: { fallback: '.data', takes: [['/var/lib/todo', '/var/lib/todo']], refuses: [] },
  PUBLIC_URL: {
    fallback: undefined,
    takes: [['https://todo.example.com', 'https://todo.example.com']],
    refuses: ['todo.example.com', 'https://todo.example.com/', 'https://todo.example.com/api', 'ftp://todo.example.com', '*', 'loopback'],
  },
  MAX_RUNNING: { fallback: undefined, takes: [['1', 1]], refuses: ['0', '10001'] },
  MAX_WAIT_MS: { fallback: 500, takes: [['60000', 60_000]], refuses: ['0', '60001', '1s'] },
  USER_MAX_RUNNING: { fallback: 8, takes: [['1', 1]], refuses: ['0', '10001', '-1'] },
  USER_MAX_WAITING: { fallback: 32, takes: [['0', 0]], refuses: ['10001', '-1', 'none'] },
  USER_MAX_OPEN_TODOS: { fallback: 10_000, takes: [['1', 1]], refuses: ['0', '-1', 'none', '1000000000'] },
  USER_MAX_CONVERSATIONS: { fallback: 1000, takes: [['1', 1]], refuses: ['0', '-1', 'none', '1000000000'] },
  CHAT_MESSAGES_PER_MINUTE: { fallback: 30, takes: [['1', 1]], refuses: ['0', '-1', '1.5', '1000001'] },
  MCP_TICKETS_PER_MINUTE: { fallback: 10, takes: [['1', 1]], refuses: ['0', '-1', '1.5', '1000001'] },
  MCP_MAX_CONNECTIONS: {
    fallback: 1000,
    takes: [
      ['1', 1],
      ['100000', 100_000],
    ],
    refuses: ['0', '100001', 'all'],
  },
  MCP_MAX_CONNECTIONS_PER_USER: { fallback: 20, takes: [['1', 1]], refuses: ['0', '100001', 'all'] },
  MCP_MAX_HELD_BYTES: {
    fallback: 67_108_864,
    takes: [
      ['1048576', 1_048_576],
      ['999999999', 999_999_999],
    ],
    refuses: ['1048575', '1000000000', '64Mi'],
  },
  MCP_MAX_CONNECTION_SECONDS: {
    fallback: 600,
    takes: [
      ['1', 1],
      ['86400', 86_400],
    ],
    refuses: ['0', '86401', '10m'],
  },
}

/** A string that a message must not show, because it may be a secret. */
const showsNothingOf = (value: string, message: string) => expect(` ${message} `).not.toContain(` ${value} `)

describe.each(Object.entries(TABLE))('%s', (name, { fallback, takes, refuses }) => {
  const read = (value: string | undefined) => readEnv({ [name]: value })[name as Name]

  it('has a default, which an empty value is the same as', () => {
    expect(read(undefined)).toEqual(fallback)
    expect(read('')).toEqual(fallback)
  })

  it('takes what it should', () => {
    for (const [value, expected] of takes) expect(read(value)).toEqual(expected)
  })

  it('refuses anything else in one line that names it and does not show the value', () => {
    for (const value of refuses) {
      const error = catching(() => read(value))
      expect(error, value).toBeInstanceOf(EnvError)
      expect(error.message).toMatch(new RegExp(`^${name}: [^\\n]+$`))
      showsNothingOf(value, error.message)
    }
  })
})

it('knows every variable here', () => {
  expect(Object.keys(TABLE)).toEqual(Object.keys(variables))
})

it('takes no TRUSTED_PROXIES that cannot be used then', () => {
  for (const [value, trusted] of TABLE.TRUSTED_PROXIES.takes) expect(() => createClientAddress(trusted, () => {}), value).not.toThrow()
})

it.each(['linklocal', 'uniquelocal', 'loopback,uniquelocal'])('says what to use instead of TRUSTED_PROXIES=%s', (value) => {
  const { message } = catching(() => readEnv({ TRUSTED_PROXIES: value }))
  expect(message).toMatch(/^TRUSTED_PROXIES: .*CIDR blocks.*`hops:1`/)
})

describe('what belongs together', () => {
  it('is one secret at least, and the list counts instead of the single one', () => {
    expect(() => ownIssuer(readEnv({}))).toThrow(/^BETTER_AUTH_SECRET: must be set/)
    expect(ownIssuer(readEnv({ BETTER_AUTH_SECRET: SECRET })).keys.secrets.size).toBe(1)
    expect(ownIssuer(readEnv({ BETTER_AUTH_SECRET: SECRET, BETTER_AUTH_SECRETS: `2:${SECRET}y` })).keys.current).toBe('2')
  })

  it('is all of a Better Auth server or nothing', () => {
    const all = {
      BETTER_AUTH_ISSUER: 'https://app.example.com',
      BETTER_AUTH_JWKS_URL: 'https://app.example.com/api/auth/jwks',
      BETTER_AUTH_AUDIENCE: 'https://app.example.com',
    }
    expect(foreignIssuer(readEnv({}))).toBeUndefined()
    expect(foreignIssuer(readEnv(all))).toEqual({
      issuer: all.BETTER_AUTH_ISSUER,
      jwksUrl: all.BETTER_AUTH_JWKS_URL,
      audience: all.BETTER_AUTH_AUDIENCE,
    })
    for (const missing of Object.keys(all)) expect(() => foreignIssuer(readEnv({ ...all, [missing]: '' }))).toThrow(missing)
    expect(() => foreignIssuer(readEnv({ ...all, TOKEN_ISSUER: all.BETTER_AUTH_ISSUER }))).toThrow(/^BETTER_AUTH_ISSUER: /)
  })
})

describe('a database', () => {
  const connect = (url: string, insecure = 'false') =>
    connectionConfig(databaseOptions(readEnv({ DATABASE_URL: url, DATABASE_ALLOW_INSECURE: insecure })))
  const outside = 'postgresql://todo:hunter2@db.example.com:5432/todo'

  it.each(['', '?sslmode=require', '?sslmode=prefer', '?sslmode=verify-ca', '?host=db.example.com'])(
    'outside loopback needs verified TLS, which %o is not',
    (query) => {
      const error = catching(() => connect(outside + query))
      expect(error.message).toMatch(/^DATABASE_URL: [^\n]+$/)
      expect(error.message).not.toContain('hunter2')
      expect(() => connect(outside + query, 'true')).not.toThrow()
    },
  )

  it('with it, or on loopback, is taken', () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]']) expect(() => connect(`postgresql://todo:hunter2@${host}/todo`)).not.toThrow()
    expect(() => connect(`${outside}?sslmode=verify-full`)).not.toThrow()
    expect(() => connect('postgresql://todo:hunter2@localhost/todo?host=db.example.com')).toThrow(/^DATABASE_URL: /)
  })

  it('must look like one', () => {
    for (const url of ['hunter2', 'mysql://todo:hunter2@localhost/todo', 'postgresql://todo:hunter2@localhost', 'postgresql://']) {
      const error = catching(() => connect(url))
      expect(error.message).toMatch(/^DATABASE_URL: must look like [^\n]+$/)
      expect(error.message).not.toContain('hunter2')
    }
  })

  it('must be named', () => {
    expect(() => databaseOptions(readEnv({}))).toThrow(/^DATABASE_URL: must be set$/)
  })
})

function catching(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}
