import type { EntityManager } from 'typeorm'
import { NO_OVERRIDES, type CatalogEntry } from '@barnabas/domain'
import { DestinationEntity, SwitchEntity, TenantEntity } from '../entities.js'
import { toEntry } from './destinations.js'
import { switchEntry } from './switches.js'
import { queryReturning, type Changed } from './version.js'

/** Rows that changed since they were last published, oldest change first; tenants before their destinations, switches last. */
export async function takeUnpublished(tx: EntityManager, limit: number): Promise<CatalogEntry[]> {
  const tenants = await tx
    .createQueryBuilder(TenantEntity, 'row')
    .where('row.version > row.published_version')
    .orderBy('row.version')
    .limit(limit)
    .getMany()
  const destinations = await tx
    .createQueryBuilder(DestinationEntity, 'row')
    .where('row.version > row.published_version')
    .orderBy('row.version')
    .limit(limit)
    .getMany()
  const switches = await tx
    .createQueryBuilder(SwitchEntity, 'row')
    .where('row.version > row.published_version')
    .orderBy('row.version')
    .limit(limit)
    .getMany()
  return [...tenants.map(tenantEntry), ...destinations.map(toEntry), ...switches.map(switchEntry)]
}

/** Remembers what was published; never lowers. */
export async function markPublished(tx: EntityManager, published: readonly Changed[]): Promise<void> {
  const uids = published.map(({ uid }) => uid)
  const versions = published.map(({ version }) => version)
  for (const table of ['tenants', 'destinations', 'switches']) {
    await tx.query(
      `UPDATE ${table} AS row SET published_version = marked.version
         FROM unnest($1::text[], $2::bigint[]) AS marked (uid, version)
        WHERE row.uid = marked.uid AND row.published_version < marked.version`,
      [uids, versions],
    )
  }
}

/** Every row, markers of deleted ones included, in portions ordered by uid: for comparing with what the topic holds. */
export async function allEntries(
  tx: EntityManager,
  afterUid: string,
  limit: number,
): Promise<CatalogEntry[]> {
  const tenants = await tx
    .createQueryBuilder(TenantEntity, 'row')
    .where('row.uid > :afterUid', { afterUid })
    .orderBy('row.uid')
    .limit(limit)
    .getMany()
  const destinations = await tx
    .createQueryBuilder(DestinationEntity, 'row')
    .where('row.uid > :afterUid', { afterUid })
    .orderBy('row.uid')
    .limit(limit)
    .getMany()
  const switches = await tx
    .createQueryBuilder(SwitchEntity, 'row')
    .where('row.uid > :afterUid', { afterUid })
    .orderBy('row.uid')
    .limit(limit)
    .getMany()
  const entries = [...tenants.map(tenantEntry), ...destinations.map(toEntry), ...switches.map(switchEntry)]
  return entries.sort((left, right) => (left.uid < right.uid ? -1 : 1)).slice(0, limit)
}

/**
 * Removes deleted rows that are older, and answers with their uids. The caller must have written their tombstones
 * before the transaction commits.
 */
export async function purgeDeleted(tx: EntityManager, olderThanIso: string): Promise<string[]> {
  const purged: { uid: string }[] = []
  for (const from of [PURGEABLE_DESTINATIONS, PURGEABLE_SWITCHES, PURGEABLE_TENANTS]) {
    const sql = `DELETE FROM ${from} RETURNING uid`
    purged.push(...(await queryReturning<{ uid: string }>(tx, sql, [olderThanIso])))
  }
  return purged.map(({ uid }) => uid)
}

const PURGEABLE_DESTINATIONS = 'destinations WHERE deleted_at < $1 AND published_version >= version'

const PURGEABLE_SWITCHES = 'switches WHERE deleted_at < $1 AND published_version >= version'

/** A tenant's row takes those of its destinations along: theirs must be gone, or no tombstone would be written. */
const PURGEABLE_TENANTS = `tenants WHERE deleted_at < $1 AND published_version >= version
  AND NOT EXISTS (SELECT 1 FROM destinations WHERE destinations.tenant_uid = tenants.uid)`

function tenantEntry({ uid, version, id, policy, deletedAt }: TenantEntity): CatalogEntry {
  return {
    kind: 'tenant',
    uid,
    version,
    id,
    policy: policy ?? NO_OVERRIDES,
    deletedAt: deletedAt?.toISOString() ?? null,
  }
}
