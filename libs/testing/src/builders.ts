import {
  deliveryIdOf,
  FIRST_RUN,
  newDestinationUid,
  newEventId,
  newTenantUid,
  NO_LIMITS,
  NO_OVERRIDES,
  recordAttempt,
  type AttemptRecord,
  type Delivery,
  type DestinationEntry,
  type Event,
  type EventMeta,
  type TenantEntry,
} from '@barnabas/domain'

const NOW_MS = Date.parse('2026-01-15T10:00:00Z')

export const anEventMeta = (overrides: Partial<EventMeta> = {}): EventMeta => ({
  id: newEventId(),
  tenantId: 'acme',
  tenantUid: null,
  topic: 'order.paid',
  time: '2026-01-15T10:00:00.000Z',
  metadata: {},
  contentType: 'application/json',
  isEligibleForRetry: true,
  destinationId: null,
  source: null,
  sourceId: null,
  traceparent: null,
  run: FIRST_RUN,
  ...overrides,
})

export const anEvent = (meta: Partial<EventMeta> = {}, payload = Buffer.from('{"order_id":1}')): Event => ({
  meta: anEventMeta(meta),
  payload,
})

export const aTenant = (overrides: Partial<TenantEntry> = {}): TenantEntry => ({
  kind: 'tenant',
  uid: newTenantUid(),
  version: 1,
  id: 'acme',
  policy: NO_OVERRIDES,
  deletedAt: null,
  ...overrides,
})

export const aDestination = (overrides: Partial<DestinationEntry> = {}): DestinationEntry => ({
  kind: 'destination',
  uid: newDestinationUid(),
  version: 1,
  tenantUid: newTenantUid(),
  tenantId: 'acme',
  id: 'd1',
  type: 'webhook',
  topics: ['*'],
  filter: null,
  config: { url: 'http://127.0.0.1:1/' },
  sealedCredentials: '',
  deliveryMetadata: {},
  limits: NO_LIMITS,
  policy: NO_OVERRIDES,
  disabledAt: null,
  disabledReason: null,
  enableEpoch: 0,
  deletedAt: null,
  ...overrides,
})

export function aDelivery(overrides: Partial<Delivery> = {}): Delivery {
  const event = overrides.event ?? anEventMeta()
  const destinationUid = overrides.destinationUid ?? newDestinationUid()
  return {
    id: deliveryIdOf(event.tenantId, event.id, destinationUid),
    run: FIRST_RUN,
    attempt: 1,
    firstAttempt: 1,
    deferrals: 0,
    dueAtMs: 0,
    acceptedAtMs: NOW_MS,
    runStartedAtMs: overrides.acceptedAtMs ?? NOW_MS,
    event,
    tenantUid: newTenantUid(),
    destinationUid,
    destinationId: 'd1',
    key: destinationUid,
    catalogOffset: 0,
    payload: Buffer.from('{"order_id":1}'),
    ...overrides,
  }
}

export function anAttempt(overrides: Partial<AttemptRecord> = {}): AttemptRecord {
  const outcome = { kind: 'delivered', code: 'http_200' } as const
  const sent = { outcome, decision: { kind: 'done' } as const, startedAtMs: NOW_MS, durationMs: 12 }
  return { ...recordAttempt(aDelivery(), aDestination(), sent), ...overrides }
}
