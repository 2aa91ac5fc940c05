// Migrations on Prisma's own schema engine, compiled to WebAssembly: the ordinary `_prisma_migrations`, no downloaded binary.
import fs from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils'
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm'
import pg from 'pg'
import { type ConnectionOptions, migrationConfig } from './connection.ts'
import { StartupError } from './startup-error.ts'

const MIGRATIONS = path.join(import.meta.dirname, 'migrations')
const SCHEMA = path.join(import.meta.dirname, 'schema.prisma')
/** Ours, to wait for another run as long as it takes. The engine takes Prisma's own (72707369) inside, and gives up on it after 10 s. */
const LOCK = 7_270_736_900
/** Identifies the sessions of migrations. */
const SESSION_NAME = 'todo-migration'
const NO_FILTER = { externalTables: [], externalEnums: [] }

/** Declared here: the types of Node know no WebAssembly, and a browser's types do not belong in a backend. */
declare const WebAssembly: {
  instantiate(code: Uint8Array, imports: Record<string, object>): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>
}

export type Migrated = {
  /** Names of the migrations that this run applied, oldest first. */
  applied: string[]
  /** Migrations an earlier run began and did not finish; tried anew by this one. */
  retried: string[]
}

/**
 * Applies what is missing. Safe to run from several places at once: they take turns.
 * A migration is one implicit transaction: one that fails leaves nothing behind but its entry in `_prisma_migrations`, and the next run
 * tries it again.
 * @throws StartupError that names the migration and holds PostgreSQL's message, or says why the database cannot be migrated.
 */
export async function migrate(connection: ConnectionOptions, directory = MIGRATIONS): Promise<Migrated> {
  return exclusively(connection, () =>
    withEngine(connection, async (engine) => {
      const migrationsList = await readMigrations(directory)
      const { failedMigrationNames: retried } = await engine.diagnoseMigrationHistory({
        migrationsList,
        optInToShadowDatabase: false,
        filters: NO_FILTER,
      })
      for (const migrationName of retried) await engine.markMigrationRolledBack({ migrationName })
      const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: NO_FILTER })
      return { applied: appliedMigrationNames, retried }
    }),
  )
}

/**
 * The SQL that leads from a migrated database to what `schema.prisma` says; empty when they agree.
 * Reads the database, changes nothing.
 */
export async function pendingChanges(connection: ConnectionOptions, schema = SCHEMA): Promise<string> {
  const files = [{ path: SCHEMA, content: await fs.readFile(schema, 'utf8') }]
  return withEngine(connection, async (engine) => {
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: import.meta.dirname },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters: NO_FILTER,
    })
    const script = stdout ?? ''
    return /^\s*(--.*\s*)*$/.test(script) ? '' : script
  })
}

/** Writes `migrations/<timestamp>_<name>/migration.sql` and returns its path. @throws Error when it exists. */
export async function writeMigration(name: string, sql: string): Promise<string> {
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14)
  const directory = path.join(MIGRATIONS, `${stamp}_${name}`)
  await fs.mkdir(directory)
  const file = path.join(directory, 'migration.sql')
  await fs.writeFile(file, sql, { flag: 'wx' })
  return file
}

async function readMigrations(baseDir: string): Promise<MigrationList> {
  const entries = await fs.readdir(baseDir, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: await fs.readFile(path.join(MIGRATIONS, 'migration_lock.toml'), 'utf8') },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.sort().map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: await fs.readFile(path.join(baseDir, name, 'migration.sql'), 'utf8') },
        },
      })),
    ),
  }
}

/**
 * Sent at the end of a migration, in its transaction: one that was begun and not finished has left nothing behind, whenever its process
 * was killed. (The engine says the same again, in a transaction of its own.)
 */
const FINISHED = `
;UPDATE _prisma_migrations SET finished_at = now() WHERE finished_at IS NULL AND rolled_back_at IS NULL`
/** The one kind of statement that refuses to be part of a transaction. */
const ALONE = /\bCONCURRENTLY\b/i

/**
 * Prisma's driver adapter, mended in two places for the schema engine. It splits a script at every `;` and runs the pieces one by one:
 * sent whole, PostgreSQL runs it in one transaction. And it does not know the catalog's one-byte type "char".
 */
class MigrationAdapter extends PrismaPg {
  /** PostgreSQL's last error: the engine's own holds a backtrace instead. */
  refusal: unknown
  /** The engine opens connections and closes none: left to idle, they would hold its lock against the next run. */
  readonly #opened: { dispose(): Promise<void> }[] = []

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((adapter) => adapter.dispose()))
  }

  override async connect() {
    const adapter = await super.connect()
    this.#opened.push(adapter)
    const pool = adapter.underlyingDriver()
    adapter.executeScript = async (script) => {
      await pool.query(ALONE.test(script) ? script : script + FINISHED).catch((error) => {
        this.refusal = error
        throw error
      })
    }
    let charColumns: number[] = []
    const query = pool.query.bind(pool) as (config: pg.QueryConfig) => Promise<pg.QueryResult>
    pool.query = (async (config: pg.QueryConfig) => {
      const result = await query(config).catch((error) => {
        this.refusal = error
        throw error
      })
      charColumns = (result.fields ?? []).flatMap((field, index) => (field.dataTypeID === pg.types.builtins.CHAR ? [index] : []))
      for (const index of charColumns) Object.assign(result.fields[index] ?? {}, { dataTypeID: pg.types.builtins.TEXT })
      return result
    }) as typeof pool.query
    const queryRaw = adapter.queryRaw.bind(adapter)
    adapter.queryRaw = async (statement) => {
      const result = await queryRaw(statement)
      for (const index of charColumns) result.columnTypes[index] = ColumnTypeEnum.Character
      return result
    }
    return adapter
  }
}

async function withEngine<T>(connection: ConnectionOptions, use: (engine: SchemaEngine) => Promise<T>): Promise<T> {
  const bindings = await loadEngine()
  const adapter = new MigrationAdapter({ ...migrationConfig(connection), application_name: SESSION_NAME })
  let engine: SchemaEngine | undefined
  try {
    engine = await bindings.SchemaEngine.new(
      { datamodels: [[SCHEMA, await fs.readFile(SCHEMA, 'utf8')]] },
      () => {},
      bindMigrationAwareSqlAdapterFactory(adapter),
    )
    return await use(engine)
  } catch (error) {
    throw migrationFailure(error, adapter.refusal)
  } finally {
    engine?.free()
    await adapter.close()
  }
}

/** The engine's error as a line for an operator; a defect stays as it is. `refusal` is PostgreSQL's last error, if there was one. */
function migrationFailure(error: unknown, refusal: unknown): unknown {
  const name = /migration_name="([^"]+)"/.exec(String(error))?.[1]
  // Prisma's codes for a history or a schema that migrations do not fit: https://www.prisma.io/docs/orm/reference/error-reference
  if (name === undefined && error instanceof Error && 'code' in error && /^P3\d{3}$/.test(String(error.code))) {
    return new StartupError(`The database cannot be migrated: ${error.message}`, { cause: error })
  }
  if (!(refusal instanceof Error)) return error
  const what = name ? `Migration ${name} failed and left nothing behind` : 'The database cannot be migrated'
  return new StartupError(`${what}: ${refusal.message}. Remove the cause, and run it again`, { cause: refusal })
}

type EngineBindings = typeof import('@prisma/schema-engine-wasm') & { __wbg_set_wasm(exports: object): void }

/** The package is made for bundlers that import `.wasm`; Node binds it by hand. Once a process: the bindings keep views of its memory. */
const loadEngine = once(async () => {
  const bindings = (await import('@prisma/schema-engine-wasm/schema_engine_bg')) as EngineBindings
  const wasm = path.join(path.dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm')), 'schema_engine_bg.wasm')
  const { instance } = await WebAssembly.instantiate(await fs.readFile(wasm), { './schema_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  return bindings
})

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

async function exclusively<T>(connection: ConnectionOptions, run: () => Promise<T>): Promise<T> {
  const client = new pg.Client(migrationConfig(connection))
  // Should this connection break, the engine's own lock is still there.
  client.on('error', () => {})
  await client.connect().catch((error: Error & { code?: string }) => {
    // An error of several addresses has a code and no message.
    throw new StartupError(`DATABASE_URL: no connection to the database (${error.message || error.code})`, { cause: error })
  })
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK])
    // A migrating session holds the lock. One without it belongs to a killed process whose end the server has not noticed.
    await client.query(
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
       WHERE datname = current_database() AND usename = current_user AND application_name = $1`,
      [SESSION_NAME],
    )
    return await run()
  } finally {
    await client.end()
  }
}
