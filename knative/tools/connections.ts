// The database connections that the functions may open. templates/_connections.tpl computes the same sum from the values of an installation.
import { parse } from 'yaml'
import type { Manifest } from './models.ts'
import { KnativeService } from './service.ts'
import { serviceFiles } from './services.ts'

/** A migration runs beside the functions. */
const MIGRATION = 3

/** Pods at most, and the pool of each. @throws when the manifest is not a valid Knative Service */
function poolsOf(service: unknown): { name: string; pods: number; pool: number } {
  const { metadata, spec } = KnativeService.parse(service)
  const pool = spec.template.spec.containers[0].env?.find(({ name }) => name === 'DATABASE_POOL_SIZE')?.value
  return { name: metadata.name, pods: Number(spec.template.metadata.annotations['autoscaling.knative.dev/max-scale']), pool: Number(pool) }
}

const sumOf = (services: unknown[]) => services.map(poolsOf).reduce((sum, { pods, pool }) => sum + pods * pool, 0)

/**
 * Connections that these functions may open: max-scale times pool size, doubled because two revisions run during a rollout, plus a
 * migration. @throws when a manifest is not a valid Knative Service
 */
export function connectionsNeeded(services: Manifest[]): number {
  return 2 * sumOf(services) + MIGRATION
}

/** The table of knative/README.md, computed from the service files. */
export function connectionsTable(): string {
  const services = Object.values(serviceFiles()).map((text): unknown => parse(text))
  const sum = sumOf(services)
  const rows = services.map(poolsOf).map(({ name, pods, pool }) => `| ${name} | ${pods} | ${pool} | ${pods * pool} |`)
  return [
    '| Function | Pods at most | Pool of a pod | Connections |',
    '| --- | ---: | ---: | ---: |',
    ...rows,
    `| all | | | ${sum} |`,
    `| in a rollout, with two revisions of each | | | ${2 * sum} |`,
    `| and a migration | | | **${2 * sum + MIGRATION}** |`,
  ].join('\n')
}
