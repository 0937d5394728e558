export type { EntityManager } from 'typeorm'
export * from './control-plane/catalog-source.js'
export {
  createDestination,
  deleteDestination,
  disableBySignal,
  findDestination,
  findDestinationsByUid,
  listDestinations,
  updateDestination,
  updateDestinationByUid,
  type DestinationChange,
  type DestinationQuery,
  type DestinationRow,
  type NewDestination,
} from './control-plane/destinations.js'
export {
  dropRedelivery,
  forgetRedeliveries,
  noteRedelivery,
  type NewRedelivery,
} from './control-plane/redeliveries.js'
export {
  claimRedrive,
  endRedrive,
  releaseRedrive,
  saveRedrive,
  type RedriveLease,
} from './control-plane/redrive-leases.js'
export {
  cancelRedrive,
  createRedrive,
  findRedrive,
  listRedrives,
  startRedrive,
  type NewRedrive,
  type RedriveEntry,
  type RedriveRefusal,
  type RedriveRow,
} from './control-plane/redrives.js'
export {
  deleteTenant,
  findTenant,
  listTenants,
  upsertTenant,
  type TenantChange,
  type TenantQuery,
  type TenantRow,
} from './control-plane/tenants.js'
export { listSwitches, switchOff, switchOn, type SwitchRow } from './control-plane/switches.js'
export type { Changed } from './control-plane/version.js'
export type { Page } from './cursor.js'
export { isTextRefused, isUnavailable } from './errors.js'
export * from './event-log/attempts.js'
export { dayOf, dropDaysBefore, ensureDays } from './event-log/days.js'
export * from './event-log/deliveries.js'
export * from './event-log/events.js'
export { forgetHealth } from './event-log/health.js'
export { drainOutbox } from './event-log/outbox.js'
export * from './event-log/record-batch.js'
export type { TimeRange } from './event-log/where.js'
export { openStorage, Storage, type HeldLock, type StorageOptions } from './storage.js'
