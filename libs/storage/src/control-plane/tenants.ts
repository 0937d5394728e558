import type { EntityManager } from 'typeorm'
import { newTenantUid, NO_OVERRIDES, type PolicyOverrides, type TenantUid } from '@barnabas/domain'
import { TenantEntity } from '../entities.js'
import { readCursor, writeCursor, type Page } from '../cursor.js'
import { switchOffAllOf } from './switches.js'
import { nextVersion, queryReturning, type Changed } from './version.js'

export interface TenantRow {
  readonly uid: TenantUid
  readonly id: string
  readonly metadata: Readonly<Record<string, string>> | null
  readonly policy: PolicyOverrides
  readonly version: number
  readonly createdAt: string
  readonly updatedAt: string
  readonly destinationsCount: number
  /** Topic patterns that its destinations select, each once, sorted. */
  readonly topics: readonly string[]
}

/** Serialises changes of one public tenant id, also while no row of it exists yet. */
async function lockTenantId(tx: EntityManager, id: string): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [id])
}

export interface TenantChange {
  readonly id: string
  readonly metadata?: Record<string, string> | null | undefined
  readonly policy?: Partial<PolicyOverrides> | undefined
}

/** Creates the tenant or changes what is given of it: metadata as a whole, the policy member by member. */
export async function upsertTenant(
  tx: EntityManager,
  { id, metadata, policy = {} }: TenantChange,
): Promise<{ tenant: TenantRow; isNew: boolean }> {
  await lockTenantId(tx, id)
  const existing = await findLive(tx, id)
  const changesPolicy = Object.keys(policy).length > 0
  if (existing && metadata === undefined && !changesPolicy)
    return { tenant: await toRow(tx, existing), isNew: false }
  const now = new Date()
  const entity =
    existing ??
    tx.create(TenantEntity, {
      uid: newTenantUid(),
      id,
      metadata: null,
      policy: null,
      createdAt: now,
      publishedVersion: 0,
      deletedAt: null,
    })
  if (metadata !== undefined) entity.metadata = metadata
  if (changesPolicy) entity.policy = { ...NO_OVERRIDES, ...entity.policy, ...policy }
  entity.updatedAt = now
  entity.version = await nextVersion(tx)
  await tx.save(entity)
  return { tenant: await toRow(tx, entity), isNew: existing === null }
}

export async function findTenant(tx: EntityManager, id: string): Promise<TenantRow | null> {
  const entity = await findLive(tx, id)
  return entity && toRow(tx, entity)
}

export interface TenantQuery {
  readonly ids?: readonly string[]
  readonly limit: number
  readonly dir: 'asc' | 'desc'
  readonly next?: string
  readonly prev?: string
}

/** Live tenants by creation time; `bad-cursor` when a cursor is none of ours. */
export async function listTenants(
  tx: EntityManager,
  query: TenantQuery,
): Promise<(Page<TenantRow> & { count: number }) | 'bad-cursor'> {
  const cursor = readCursor(query)
  if (cursor === 'bad-cursor') return cursor
  const select = tx.createQueryBuilder(TenantEntity, 'tenant').where('tenant.deleted_at IS NULL')
  if (query.ids) select.andWhere('tenant.id = ANY(:ids)', { ids: query.ids })
  const count = await select.getCount()
  const isForward = (query.dir === 'asc') === (cursor?.direction !== 'prev')
  if (cursor) {
    const comparison = isForward ? '>' : '<'
    select.andWhere(`(tenant.created_at, tenant.uid) ${comparison} (:at, :uid)`, {
      at: cursor.at,
      uid: cursor.id,
    })
  }
  const order = isForward ? 'ASC' : 'DESC'
  const found = await select
    .orderBy('tenant.created_at', order)
    .addOrderBy('tenant.uid', order)
    .limit(query.limit + 1)
    .getMany()
  const page = writeCursor(found, query.limit, cursor, (entity) => ({
    at: entity.createdAt.toISOString(),
    id: entity.uid,
  }))
  const rows: TenantRow[] = []
  // One after the other: a connection runs one statement at a time.
  for (const entity of page.rows) rows.push(await toRow(tx, entity))
  return { ...page, rows, count }
}

/** Marks the tenant and its destinations as deleted and its switches as off; null when there is no such tenant. */
export async function deleteTenant(tx: EntityManager, id: string): Promise<Changed[] | null> {
  await lockTenantId(tx, id)
  // A destination that is being created holds this lock: it must be seen below, or be refused.
  const entity = await findLive(tx, id, 'for-update')
  if (!entity) return null
  const destinations: { uid: string; version: string }[] = await queryReturning(
    tx,
    `UPDATE destinations SET deleted_at = now(), updated_at = now(), version = nextval('catalog_version')
      WHERE tenant_uid = $1 AND deleted_at IS NULL RETURNING uid, version`,
    [entity.uid],
  )
  const switches = await switchOffAllOf(tx, entity.uid)
  entity.deletedAt = new Date()
  entity.updatedAt = entity.deletedAt
  entity.version = await nextVersion(tx)
  await tx.save(entity)
  const changed = destinations.map(({ uid, version }) => ({ uid, version: Number(version) }))
  return [...changed, ...switches, { uid: entity.uid, version: entity.version }]
}

function findLive(tx: EntityManager, id: string, lock?: 'for-update'): Promise<TenantEntity | null> {
  const select = tx
    .createQueryBuilder(TenantEntity, 'tenant')
    .where('tenant.id = :id AND tenant.deleted_at IS NULL', { id })
  return (lock ? select.setLock('pessimistic_write') : select).getOne()
}

async function toRow(tx: EntityManager, entity: TenantEntity): Promise<TenantRow> {
  const rows: { count: string; topics: string[] | null }[] = await tx.query(
    `SELECT count(DISTINCT uid) AS count, array_agg(DISTINCT topic ORDER BY topic) AS topics
       FROM destinations, unnest(topics) AS topic WHERE tenant_uid = $1 AND deleted_at IS NULL`,
    [entity.uid],
  )
  return {
    uid: entity.uid,
    id: entity.id,
    metadata: entity.metadata,
    policy: entity.policy ?? NO_OVERRIDES,
    version: entity.version,
    createdAt: entity.createdAt.toISOString(),
    updatedAt: entity.updatedAt.toISOString(),
    destinationsCount: Number(rows[0]?.count ?? 0),
    topics: rows[0]?.topics ?? [],
  }
}
