import type { EntityManager, SelectQueryBuilder } from 'typeorm'
import {
  failed,
  NO_LIMITS,
  NO_OVERRIDES,
  ok,
  type DeliveryLimits,
  type DestinationEntry,
  type DestinationUid,
  type DisabledReason,
  type PolicyOverrides,
  type Result,
} from '@barnabas/domain'
import { DestinationEntity, TenantEntity } from '../entities.js'
import { nextVersion, type Changed } from './version.js'

export interface DestinationRow {
  readonly entry: DestinationEntry
  readonly metadata: Readonly<Record<string, string>> | null
  readonly createdAt: string
  readonly updatedAt: string
}

export interface NewDestination {
  readonly uid: DestinationUid
  readonly tenantId: string
  readonly id: string
  readonly type: string
  readonly topics: readonly string[]
  readonly filter: unknown
  readonly config: Readonly<Record<string, string>>
  readonly sealedCredentials: string
  readonly deliveryMetadata: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>> | null
  /** Default: none. */
  readonly limits?: DeliveryLimits | undefined
  /** Default: the tenant's, and that of the settings. */
  readonly policy?: PolicyOverrides | undefined
  readonly disabledAt: string | null
  /** Of one that is disabled; default: `requested`. */
  readonly disabledReason?: DisabledReason | undefined
  readonly createdAt?: string | undefined
  readonly updatedAt?: string | undefined
}

export async function createDestination(
  tx: EntityManager,
  given: NewDestination,
): Promise<Result<DestinationRow, 'tenant-not-found' | 'id-taken'>> {
  // The tenant's row is locked, so that it cannot be deleted, nor the same id be taken, meanwhile.
  const tenant = await tx
    .createQueryBuilder(TenantEntity, 'tenant')
    .setLock('pessimistic_write')
    .where('tenant.id = :id AND tenant.deleted_at IS NULL', { id: given.tenantId })
    .getOne()
  if (!tenant) return failed('tenant-not-found')
  if (await live(tx, given.tenantId, given.id).getOne()) return failed('id-taken')
  const now = new Date()
  const createdAt = given.createdAt === undefined ? now : new Date(given.createdAt)
  const entity = tx.create(DestinationEntity, {
    uid: given.uid,
    tenantUid: tenant.uid,
    tenantId: tenant.id,
    id: given.id,
    type: given.type,
    topics: [...given.topics],
    config: given.config,
    sealedCredentials: given.sealedCredentials,
    deliveryMetadata: given.deliveryMetadata,
    metadata: given.metadata,
    limits: given.limits ?? null,
    policy: given.policy ?? null,
    disabledAt: given.disabledAt === null ? null : new Date(given.disabledAt),
    disabledReason: given.disabledAt === null ? null : (given.disabledReason ?? 'requested'),
    enableEpoch: 0,
    publishedVersion: 0,
    createdAt,
    updatedAt: given.updatedAt === undefined ? createdAt : new Date(given.updatedAt),
    deletedAt: null,
  })
  entity.filter = given.filter ?? null
  entity.version = await nextVersion(tx)
  await tx.save(entity)
  return ok(toRow(entity))
}

export async function findDestination(
  tx: EntityManager,
  tenantId: string,
  id: string,
): Promise<DestinationRow | null> {
  const entity = await live(tx, tenantId, id).getOne()
  return entity && toRow(entity)
}

/** Live destinations by their internal ids; what is deleted is left out. */
export async function findDestinationsByUid(
  tx: EntityManager,
  uids: readonly string[],
): Promise<Map<string, DestinationRow>> {
  const entities = await tx
    .createQueryBuilder(DestinationEntity, 'destination')
    .where('destination.uid = ANY(:uids) AND destination.deleted_at IS NULL', { uids })
    .getMany()
  return new Map(entities.map((entity) => [entity.uid, toRow(entity)]))
}

export interface DestinationQuery {
  readonly types?: readonly string[] | undefined
  /** Those that select all of these topics, by the exact pattern. */
  readonly topics?: readonly string[] | undefined
}

/** Null when there is no such tenant. Oldest first. */
export async function listDestinations(
  tx: EntityManager,
  tenantId: string,
  { types, topics }: DestinationQuery,
): Promise<DestinationRow[] | null> {
  const hasTenant = await tx
    .createQueryBuilder(TenantEntity, 'tenant')
    .where('tenant.id = :tenantId AND tenant.deleted_at IS NULL', { tenantId })
    .getExists()
  if (!hasTenant) return null
  const select = tx
    .createQueryBuilder(DestinationEntity, 'destination')
    .where('destination.tenant_id = :tenantId AND destination.deleted_at IS NULL', { tenantId })
  if (types) select.andWhere('destination.type = ANY(:types)', { types })
  if (topics) select.andWhere('destination.topics @> :topics', { topics })
  const entities = await select.orderBy('destination.created_at').addOrderBy('destination.uid').getMany()
  return entities.map(toRow)
}

/** What may be changed of a destination. */
export type DestinationChange = Partial<
  Pick<
    DestinationRow['entry'],
    | 'topics'
    | 'filter'
    | 'config'
    | 'sealedCredentials'
    | 'deliveryMetadata'
    | 'limits'
    | 'policy'
    | 'disabledAt'
    | 'disabledReason'
  > &
    Pick<DestinationRow, 'metadata'>
>

/**
 * Changes a destination under its row's lock; `change` sees the current state. Null when there is none. Enabling
 * begins a new epoch.
 */
export async function updateDestination(
  tx: EntityManager,
  tenantId: string,
  id: string,
  change: (current: DestinationRow) => DestinationChange,
): Promise<DestinationRow | null> {
  const entity = await live(tx, tenantId, id).setLock('pessimistic_write').getOne()
  return entity && apply(tx, entity, change(toRow(entity)))
}

/**
 * As `updateDestination`, of one incarnation of a destination. An empty change writes nothing and gives back the row
 * that `change` saw.
 */
export async function updateDestinationByUid(
  tx: EntityManager,
  uid: DestinationUid,
  change: (current: DestinationRow) => DestinationChange,
): Promise<DestinationRow | null> {
  const entity = await liveByUid(tx, uid).setLock('pessimistic_write').getOne()
  if (!entity) return null
  const current = toRow(entity)
  const changed = change(current)
  return Object.keys(changed).length === 0 ? current : apply(tx, entity, changed)
}

/** Marks the destination as deleted; null when there is none. */
export async function deleteDestination(
  tx: EntityManager,
  tenantId: string,
  id: string,
): Promise<Changed | null> {
  const entity = await live(tx, tenantId, id).setLock('pessimistic_write').getOne()
  if (!entity) return null
  entity.deletedAt = new Date()
  entity.updatedAt = entity.deletedAt
  entity.version = await nextVersion(tx)
  await tx.save(entity)
  return { uid: entity.uid, version: entity.version }
}

export interface DisableSignal {
  readonly destinationUid: DestinationUid
  readonly enableEpoch: number
  readonly reason: DisabledReason
  readonly atIso: string
}

/** Null when it was enabled again since, is disabled already, or is deleted: then the signal is out of date. */
export async function disableBySignal(
  tx: EntityManager,
  signal: DisableSignal,
): Promise<DestinationRow | null> {
  const entity = await liveByUid(tx, signal.destinationUid).setLock('pessimistic_write').getOne()
  if (!entity || entity.disabledAt !== null || entity.enableEpoch !== signal.enableEpoch) return null
  return apply(tx, entity, { disabledAt: signal.atIso, disabledReason: signal.reason })
}

async function apply(
  tx: EntityManager,
  entity: DestinationEntity,
  { disabledAt, topics, filter, ...change }: DestinationChange,
): Promise<DestinationRow> {
  if (disabledAt !== undefined) {
    if (disabledAt === null && entity.disabledAt !== null) {
      entity.enableEpoch += 1
      entity.disabledReason = null
    }
    entity.disabledAt = disabledAt === null ? null : new Date(disabledAt)
  }
  if (topics) entity.topics = [...topics]
  if (filter !== undefined) entity.filter = filter
  Object.assign(entity, change)
  entity.updatedAt = new Date()
  entity.version = await nextVersion(tx)
  await tx.save(entity)
  return toRow(entity)
}

const live = (tx: EntityManager, tenantId: string, id: string): SelectQueryBuilder<DestinationEntity> =>
  tx
    .createQueryBuilder(DestinationEntity, 'destination')
    .where('destination.tenant_id = :tenantId AND destination.id = :id AND destination.deleted_at IS NULL', {
      tenantId,
      id,
    })

const liveByUid = (tx: EntityManager, uid: DestinationUid): SelectQueryBuilder<DestinationEntity> =>
  tx
    .createQueryBuilder(DestinationEntity, 'destination')
    .where('destination.uid = :uid AND destination.deleted_at IS NULL', { uid })

function toRow(entity: DestinationEntity): DestinationRow {
  return {
    entry: toEntry(entity),
    metadata: entity.metadata,
    createdAt: entity.createdAt.toISOString(),
    updatedAt: entity.updatedAt.toISOString(),
  }
}

/** The destination as the catalog carries it. */
export function toEntry(entity: DestinationEntity): DestinationEntry {
  const { uid, version, tenantUid, tenantId, id, type, topics, config, sealedCredentials, deliveryMetadata } =
    entity
  return {
    kind: 'destination',
    uid,
    version,
    tenantUid,
    tenantId,
    id,
    type,
    topics,
    filter: entity.filter ?? null,
    config,
    sealedCredentials,
    deliveryMetadata,
    limits: entity.limits ?? NO_LIMITS,
    policy: entity.policy ?? NO_OVERRIDES,
    disabledAt: entity.disabledAt?.toISOString() ?? null,
    disabledReason: entity.disabledReason,
    enableEpoch: entity.enableEpoch,
    deletedAt: entity.deletedAt?.toISOString() ?? null,
  }
}
