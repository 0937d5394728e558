import type { AttemptRecord } from './delivery.js'

/** `waiting`: an attempt failed and the next one is due later. */
export type DeliveryStatus = 'pending' | 'waiting' | 'delivered' | 'dead_lettered' | 'cancelled'

/** What decides the status of a delivery, over all its runs. */
export interface DeliveryRecords {
  readonly isDelivered: boolean
  /** The last record; null = there is none. */
  readonly last: Pick<AttemptRecord, 'decision' | 'startedAtMs'> | null
  /** When a person last asked for it again, milliseconds since 1970. */
  readonly askedAgainAtMs: number | null
}

/** Delivered once is delivered, whatever later runs bring; else the last record decides, unless it was asked for since. */
export function deliveryStatus({ isDelivered, last, askedAgainAtMs }: DeliveryRecords): DeliveryStatus {
  if (isDelivered) return 'delivered'
  if (!last || (askedAgainAtMs !== null && askedAgainAtMs > last.startedAtMs)) return 'pending'
  switch (last.decision) {
    case 'done':
      return 'delivered'
    case 'retry':
      return 'waiting'
    case 'dead-letter':
      return 'dead_lettered'
    case 'cancel':
      return 'cancelled'
  }
}
