import { createHash, randomBytes } from 'node:crypto'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Internal id of one incarnation of a tenant. Public tenant ids repeat after delete and create; this one never does. */
export type TenantUid = Branded<'TenantUid'>
/** Internal id of one incarnation of a destination. */
export type DestinationUid = Branded<'DestinationUid'>
export type EventId = Branded<'EventId'>
export type DeliveryId = Branded<'DeliveryId'>
export type AttemptId = Branded<'AttemptId'>
/** One life of a delivery: `'0'` at first, later the id of the redelivery, redrive or replay that began it. */
export type Run = Branded<'Run'>

export const FIRST_RUN = '0' as Run

/** 24 base64url characters are 144 bits: no collision is to be expected in any event log. */
const HASH_CHARACTERS = 24

/** Separates hashed parts; it cannot occur in an id, so `('a','bc')` and `('ab','c')` differ. */
const SEPARATOR = '\u0000'

function hash(...parts: string[]): string {
  return createHash('sha256').update(parts.join(SEPARATOR)).digest('base64url').slice(0, HASH_CHARACTERS)
}

/** Milliseconds since 1970 in 48 bits, then 80 random bits, in hexadecimal: sorts by time, so index pages stay warm. */
function timeSortedId(): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  return bytes.toString('hex')
}

export const newTenantUid = (): TenantUid => `t_${timeSortedId()}` as TenantUid
export const newDestinationUid = (): DestinationUid => `d_${timeSortedId()}` as DestinationUid
export const newEventId = (): EventId => `evt_${timeSortedId()}` as EventId
/** Run of one delivery that a person asked for again. */
export const newRedeliveryRun = (): Run => `rdl_${timeSortedId()}` as Run
/** Run of an event that was made to test a destination. */
export const newTestRun = (): Run => `tst_${timeSortedId()}` as Run
export const isTestRun = (run: Run): boolean => run.startsWith('tst_')
/** Whether a person asked for this one delivery and waits for what comes of it. */
export const isAskedByHand = (run: Run): boolean => run.startsWith('rdl_') || isTestRun(run)
/** Id of a redrive, and the run of everything that it brings back. */
export const newRedriveId = (): Run => `rdr_${timeSortedId()}` as Run
/** A public destination id, for callers who do not choose one. */
export const newDestinationId = (): string => `des_${timeSortedId()}`

/** The id of an event whose publisher named a source: two services may both have an event `1001`. */
export const eventIdOfSource = (source: string, sourceId: string): EventId =>
  `evt_${hash('source', source, sourceId)}` as EventId

/** The id of a record that came without one; reading the record again yields the same id. */
export const eventIdOfPosition = (
  clusterId: string,
  kafkaTopic: string,
  partition: number,
  offset: string,
): EventId => `evt_${hash('position', clusterId, kafkaTopic, String(partition), offset)}` as EventId

/** Never changes: not on retry, redelivery or redrive. `run` tells those apart. */
export const deliveryIdOf = (tenantId: string, eventId: string, destinationUid: DestinationUid): DeliveryId =>
  `dlv_${hash('delivery', tenantId, eventId, destinationUid)}` as DeliveryId

/** The same attempt, recorded twice, has the same id, so a repeated record doubles nothing in the event log. */
export const attemptIdOf = (deliveryId: DeliveryId, run: Run, attempt: number): AttemptId =>
  `atm_${hash('attempt', deliveryId, run, String(attempt))}` as AttemptId

/**
 * The key that a delivery's records carry: the destination's uid, and with `spread` > 1 which shard of it. The same
 * delivery has the same shard as long as the spread stays.
 */
export function deliveryKeyOf(
  destinationUid: DestinationUid,
  deliveryId: DeliveryId,
  spread: number,
): string {
  if (spread <= 1) return destinationUid
  const shard = createHash('sha256').update(deliveryId).digest().readUInt32BE(0) % spread
  return `${destinationUid}#${shard}`
}
