import { FIRST_RUN, newEventId, type EventMeta } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent } from '@barnabas/drivers'
import { sampleData, USUAL_BYTES } from '../load/sample-data.js'

/** What our sender and the bare client get alike. */
export interface Sample {
  readonly event: OutgoingEvent
  readonly attempt: AttemptInfo
}

/** Enough that no cache of recent events holds them all, few enough to be made before anything is measured. */
const IDS = 10_000

const META: Omit<EventMeta, 'id'> = {
  tenantId: 'bench',
  tenantUid: null,
  topic: 'order.paid',
  time: '2026-01-15T10:00:00.000Z',
  metadata: { region: 'eu', tier: '1' },
  contentType: 'application/json',
  isEligibleForRetry: true,
  destinationId: null,
  source: null,
  sourceId: null,
  traceparent: null,
  run: FIRST_RUN,
}

/** Events of 1 KB. Each is an object of its own, as those that come out of Kafka, and each delivery has an id of its own. */
export class Samples {
  private readonly ids = Array.from({ length: IDS }, () => newEventId())
  private readonly payload = Buffer.from(sampleData(USUAL_BYTES))
  private made = 0

  /** `prefix`: of delivery ids, by which targets may recognise repeats; not that of another process. */
  constructor(private readonly prefix: string) {}

  next(): Sample {
    const number = this.made++
    const meta = { ...META, id: this.ids[number % IDS] ?? newEventId() }
    return {
      event: { meta, payload: this.payload },
      attempt: { number: 1, deliveryId: `dlv_${this.prefix}_${number}` },
    }
  }
}

/** The metadata of the event and what every message of ours says besides, by the names that it has in all protocols. */
export const metadataOf = ({ event: { meta }, attempt }: Sample): Record<string, string> => ({
  ...meta.metadata,
  'event-id': meta.id,
  topic: meta.topic,
  'event-time': meta.time,
  'delivery-id': attempt.deliveryId,
  attempt: String(attempt.number),
  'content-type': meta.contentType,
})
