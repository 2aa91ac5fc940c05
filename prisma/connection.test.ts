import { describe, expect, it } from 'vitest'
import { connectionConfig, migrationConfig } from './connection.ts'

const PASSWORD = 'hunter2'
const at = (host: string, query = '') => `postgresql://someone:${PASSWORD}@${host}/todo${query}`
const TIMEOUTS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'options']

describe('connectionConfig', () => {
  it.each([
    at('localhost'),
    at('localhost:5432'),
    at('127.0.0.1'),
    at('127.1.2.3'),
    at('[::1]:5432'),
    at('%2Fvar%2Frun%2Fpostgresql'),
    at('ignored.example.com', '?host=/var/run/postgresql'),
    at('db.example.com', '?sslmode=verify-full'),
    at('db.example.com:6543', '?sslmode=verify-full&channel_binding=require'),
    at('db.example.com', '?sslmode=disable&sslmode=verify-full'),
  ])('takes %s', (url) => {
    expect(connectionConfig({ url })).toMatchObject({ connectionString: url, max: 5 })
  })

  it.each([
    at('db.example.com'),
    at('10.0.0.1'),
    at('localhost.example.com'),
    at('127.0.0.1.example.com'),
    at('example.com', '?x=localhost'),
    at('localhost', '?host=db.example.com'),
    at('localhost', '?host=localhost&host=db.example.com'),
    at('db.example.com', '?sslmode=require'),
    at('db.example.com', '?sslmode=verify-ca'),
    at('db.example.com', '?sslmode=no-verify'),
    at('db.example.com', '?sslmode=verify-full&sslmode=disable'),
    at('db.example.com', '?sslmode=VERIFY-FULL'),
  ])('refuses %s in one line without the password, unless it is allowed explicitly', (url) => {
    expect(() => connectionConfig({ url })).toThrow(
      /^DATABASE_URL: add sslmode=verify-full to reach \S+, or set DATABASE_ALLOW_INSECURE=true .*$/,
    )
    expect(() => connectionConfig({ url })).not.toThrow(PASSWORD)
    expect(connectionConfig({ url, allowInsecure: true })).toMatchObject({ connectionString: url })
  })

  it.each([
    '',
    'nonsense',
    `mysql://someone:${PASSWORD}@localhost/todo`,
    `postgresql://someone:${PASSWORD}@localhost`,
    `postgresql://${PASSWORD}@[`,
  ])('refuses %j without showing it', (url) => {
    expect(() => connectionConfig({ url })).toThrow(/^DATABASE_URL: must look like postgresql:\/\/user:password@host:port\/database$/)
  })

  it('bounds every wait, and sets what a session needs', () => {
    const config = connectionConfig({ url: at('localhost'), poolSize: 7 })
    expect(config).toMatchObject({ max: 7, connectionTimeoutMillis: 2_500, statement_timeout: 10_000, lock_timeout: 5_000 })
    expect(config.options).toContain('TimeZone=UTC')
  })

  it('sends a pooler no start-up parameters, which it would refuse', () => {
    for (const url of [at('ep-x-pooler.eu-central-1.aws.neon.tech', '?sslmode=verify-full'), at('localhost', '?pgbouncer=true')]) {
      const config = connectionConfig({ url })
      for (const name of TIMEOUTS) expect(config).not.toHaveProperty(name)
      expect(config.query_timeout).toBe(5_000)
    }
  })
})

describe('migrationConfig', () => {
  it('has one connection and no time limit', () => {
    const config = migrationConfig({ url: at('localhost') })
    expect(config).toMatchObject({ connectionString: at('localhost'), max: 1 })
    for (const name of ['statement_timeout', 'lock_timeout', 'query_timeout']) expect(config).not.toHaveProperty(name)
  })

  it('refuses what connectionConfig refuses, and a pooler', () => {
    expect(() => migrationConfig({ url: at('db.example.com') })).toThrow('sslmode=verify-full')
    const pooled = at('ep-x-pooler.eu-central-1.aws.neon.tech', '?sslmode=verify-full')
    expect(() => migrationConfig({ url: pooled })).toThrow(/^DATABASE_URL: migrations need the database's direct URL/)
    expect(() => migrationConfig({ url: pooled })).not.toThrow(PASSWORD)
  })
})
