import { describe, expect, it } from '@jest/globals'
import { deliveryStatus, type DeliveryRecords, type DeliveryStatus } from './delivery-status.js'

const at = (decision: 'done' | 'retry' | 'dead-letter' | 'cancel', startedAtMs = 100) => ({
  decision,
  startedAtMs,
})

describe('the status of a delivery', () => {
  it.each<[DeliveryStatus, string, DeliveryRecords]>([
    ['pending', 'nothing is recorded', { isDelivered: false, last: null, askedAgainAtMs: null }],
    ['waiting', 'an attempt failed', { isDelivered: false, last: at('retry'), askedAgainAtMs: null }],
    ['dead_lettered', 'it died', { isDelivered: false, last: at('dead-letter'), askedAgainAtMs: null }],
    ['cancelled', 'its target is gone', { isDelivered: false, last: at('cancel'), askedAgainAtMs: null }],
    [
      'pending',
      'it was asked for since it died',
      { isDelivered: false, last: at('dead-letter'), askedAgainAtMs: 101 },
    ],
    [
      'dead_lettered',
      'it died again',
      { isDelivered: false, last: at('dead-letter', 102), askedAgainAtMs: 101 },
    ],
    ['delivered', 'it was delivered', { isDelivered: true, last: at('done'), askedAgainAtMs: null }],
    [
      'delivered',
      'a later run of it died',
      { isDelivered: true, last: at('dead-letter'), askedAgainAtMs: 101 },
    ],
  ])('is %s when %s', (status, _when, records) => {
    expect(deliveryStatus(records)).toBe(status)
  })
})
