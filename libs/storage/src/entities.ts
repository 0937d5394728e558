import 'reflect-metadata'
import { Column, Entity, PrimaryColumn, type ValueTransformer } from 'typeorm'
import type {
  DeliveryLimits,
  DestinationUid,
  DisabledReason,
  PolicyOverrides,
  SwitchName,
  TenantUid,
} from '@barnabas/domain'

/** PostgreSQL's bigint comes as text; versions stay far below 2⁵³. */
const asNumber: ValueTransformer = { to: (value: number) => value, from: (value: string) => Number(value) }

/**
 * JSON is kept as text, not jsonb: jsonb refuses `\u0000` and lone surrogates, which JSON allows.
 * Rows carry `version`, one sequence for all tables; the relay publishes those above `publishedVersion`.
 */
@Entity('tenants')
export class TenantEntity {
  @PrimaryColumn('text') uid: TenantUid
  @Column('text') id: string
  @Column('simple-json', { nullable: true }) metadata: Record<string, string> | null
  /** Null = none was ever set. */
  @Column('simple-json', { nullable: true }) policy: PolicyOverrides | null
  @Column('bigint', { transformer: asNumber }) version: number
  @Column('bigint', { name: 'published_version', transformer: asNumber }) publishedVersion: number
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null
}

@Entity('destinations')
export class DestinationEntity {
  @PrimaryColumn('text') uid: DestinationUid
  @Column('text', { name: 'tenant_uid' }) tenantUid: TenantUid
  @Column('text', { name: 'tenant_id' }) tenantId: string
  @Column('text') id: string
  @Column('text') type: string
  @Column('text', { array: true }) topics: string[]
  @Column('simple-json', { nullable: true }) filter: unknown
  @Column('simple-json') config: Record<string, string>
  @Column('text', { name: 'sealed_credentials' }) sealedCredentials: string
  @Column('simple-json', { name: 'delivery_metadata' }) deliveryMetadata: Record<string, string>
  @Column('simple-json', { nullable: true }) metadata: Record<string, string> | null
  /** Null = none were ever set. */
  @Column('simple-json', { nullable: true }) limits: DeliveryLimits | null
  /** Null = none was ever set. */
  @Column('simple-json', { nullable: true }) policy: PolicyOverrides | null
  @Column('timestamptz', { name: 'disabled_at', nullable: true }) disabledAt: Date | null
  @Column('text', { name: 'disabled_reason', nullable: true }) disabledReason: DisabledReason | null
  @Column('integer', { name: 'enable_epoch' }) enableEpoch: number
  @Column('bigint', { transformer: asNumber }) version: number
  @Column('bigint', { name: 'published_version', transformer: asNumber }) publishedVersion: number
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null
}

/** A switch that was on once; `deletedAt` set = it is off. */
@Entity('switches')
export class SwitchEntity {
  @PrimaryColumn('text') uid: string
  @Column('text') name: SwitchName
  @Column('text') subject: string
  @Column('bigint', { transformer: asNumber }) version: number
  @Column('bigint', { name: 'published_version', transformer: asNumber }) publishedVersion: number
  @Column('timestamptz', { name: 'switched_on_at' }) switchedOnAt: Date
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null
}
