import type { EntityManager } from 'typeorm'
import { switchUidOf, type SwitchEntry, type SwitchName, type TenantUid } from '@barnabas/domain'
import { SwitchEntity, TenantEntity } from '../entities.js'
import { queryReturning, type Changed } from './version.js'

/** A switch that is on. */
export interface SwitchRow extends Changed {
  readonly name: SwitchName
  /** As people name it: a tier, or a tenant's public id. */
  readonly subject: string
  readonly onSince: string
}

/** What a switch is for: a tier by its name, a tenant by its public id. */
export interface SwitchGiven {
  readonly name: SwitchName
  readonly subject: string
}

/** Switches it on; one that is on stays as it is. Null when the subject is a tenant that there is not. */
export async function switchOn(tx: EntityManager, given: SwitchGiven): Promise<SwitchRow | null> {
  const subject = await internalSubject(tx, given)
  if (subject === null) return null
  const uid = switchUidOf(given.name, subject)
  // The second nextval is drawn after the row is locked, see `nextVersion`.
  await tx.query(
    `INSERT INTO switches (uid, name, subject, version, switched_on_at)
     VALUES ($1, $2, $3, nextval('catalog_version'), now())
     ON CONFLICT (uid) DO UPDATE
       SET deleted_at = NULL, switched_on_at = now(), version = nextval('catalog_version')
       WHERE switches.deleted_at IS NOT NULL`,
    [uid, given.name, subject],
  )
  const entity = await tx.findOneByOrFail(SwitchEntity, { uid })
  return { ...given, uid, version: entity.version, onSince: entity.switchedOnAt.toISOString() }
}

/** Null when it is not on, or the subject is a tenant that there is not. */
export async function switchOff(tx: EntityManager, given: SwitchGiven): Promise<Changed | null> {
  const subject = await internalSubject(tx, given)
  if (subject === null) return null
  const [off] = await switchOffWhere(tx, 'uid = $1', switchUidOf(given.name, subject))
  return off ?? null
}

/** All that are on, by name and subject. */
export async function listSwitches(tx: EntityManager): Promise<SwitchRow[]> {
  const rows: (Omit<SwitchRow, 'onSince' | 'version'> & { version: string; since: Date })[] = await tx.query(
    `SELECT switches.uid, switches.version, switches.name, switches.switched_on_at AS since,
            coalesce(tenants.id, switches.subject) AS subject
       FROM switches LEFT JOIN tenants ON tenants.uid = switches.subject AND switches.name = 'pause-retries'
      WHERE switches.deleted_at IS NULL ORDER BY switches.name, subject`,
  )
  return rows.map(({ since, version, ...row }) => ({
    ...row,
    version: Number(version),
    onSince: since.toISOString(),
  }))
}

/** With its tenant a switch ends too, or what waits would be kept for nobody. */
export const switchOffAllOf = (tx: EntityManager, tenantUid: TenantUid): Promise<Changed[]> =>
  switchOffWhere(tx, `name = 'pause-retries' AND subject = $1`, tenantUid)

/** The switch as the catalog carries it. */
export function switchEntry({ uid, version, name, subject, deletedAt }: SwitchEntity): SwitchEntry {
  return { kind: 'switch', uid, version, name, subject, deletedAt: deletedAt?.toISOString() ?? null }
}

async function switchOffWhere(tx: EntityManager, where: string, parameter: string): Promise<Changed[]> {
  const rows = await queryReturning<{ uid: string; version: string }>(
    tx,
    `UPDATE switches SET deleted_at = now(), version = nextval('catalog_version')
      WHERE ${where} AND deleted_at IS NULL RETURNING uid, version`,
    [parameter],
  )
  return rows.map(({ uid, version }) => ({ uid, version: Number(version) }))
}

/** The tenant's row is locked against deletion meanwhile, which would leave the switch on for ever. */
async function internalSubject(tx: EntityManager, { name, subject }: SwitchGiven): Promise<string | null> {
  if (name !== 'pause-retries') return subject
  const tenant = await tx
    .createQueryBuilder(TenantEntity, 'tenant')
    .setLock('pessimistic_read')
    .where('tenant.id = :subject AND tenant.deleted_at IS NULL', { subject })
    .getOne()
  return tenant?.uid ?? null
}
