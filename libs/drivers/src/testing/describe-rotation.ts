import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { newEventId, type Outcome } from '@barnabas/domain'
import { anEventMeta, eventually } from '@barnabas/testing'
import type { Driver, RawSettings, Sender, SenderTools } from '../driver.js'
import { openSender } from './open-sender.js'
import { Traffic } from './traffic.js'

/** Two pairs of credentials that the target takes side by side. */
export interface Rotation {
  /** Settings with those that were right so far. */
  readonly before: RawSettings
  /** The same settings with those that take their place. */
  readonly after: RawSettings
  /**
   * From now on the target refuses those before; where it can, it also cuts the connections that were made with them.
   */
  retire(): void | Promise<void>
  /** What becomes of a send with those before then. */
  readonly refusal: Outcome['code']
}

/** The part of a type's harness that this suite needs. */
export interface RotationHarness {
  start(): Promise<void>
  stop(): Promise<void>
  tools?(): SenderTools
  arrived(): readonly { eventId: string }[] | Promise<readonly { eventId: string }[]>
  /** Makes the target take the credentials of `after`; null when it has none. */
  rotation(): Rotation | null | Promise<Rotation | null>
}

/** Events in each part of the case: enough for every loop to go round several times. */
const EVENTS = 30

/** The suite of all drivers has the case; this is for types that have several kinds of credentials. */
export function describeRotation(driver: Driver, harness: RotationHarness, kind: string): void {
  describe(`the driver ${driver.type} with ${kind}`, () => {
    const senders: Sender[] = []

    beforeAll(() => harness.start())
    afterAll(() => harness.stop())
    afterEach(async () => {
      await Promise.all(senders.splice(0).map((sender) => sender.close()))
    })

    itGoesOverToRotatedCredentials(harness, (settings) => {
      const sender = openSender(driver, settings, harness.tools?.())
      senders.push(sender)
      return sender
    })
  })
}

/**
 * Traffic goes on while the tenant changes the credentials as a careful one does, and as a dispatcher follows it: it
 * opens a sender with the new ones, sends by that, and closes the old one, which ends what it has in flight.
 */
export function itGoesOverToRotatedCredentials(
  harness: RotationHarness,
  open: (settings: RawSettings) => Sender,
): void {
  it('goes over to rotated credentials under traffic', async () => {
    const rotation = await harness.rotation()
    if (rotation === null) return
    const old = open(rotation.before)
    const traffic = new Traffic(old, anOutgoing)
    try {
      await traffic.more(EVENTS)
      traffic.use(open(rotation.after))
      await old.close()
      await traffic.more(EVENTS)
      await rotation.retire()
      await traffic.more(EVENTS)
    } finally {
      await traffic.stop()
    }
    expect(traffic.sent.filter(({ outcome }) => outcome.kind !== 'delivered')).toEqual([])
    const sent = new Set<string>(traffic.sent.map(({ id }) => id))
    const arrived = await eventually(async () => {
      const ids = (await harness.arrived()).map(({ eventId }) => eventId).filter((id) => sent.has(id))
      return ids.length >= sent.size && ids
    })
    expect(arrived.sort()).toEqual([...sent].sort())
    // Else nothing was retired.
    const { event, attempt } = anOutgoing()
    const late = await open(rotation.before).send(event, attempt, new AbortController().signal)
    expect(late).toMatchObject({ code: rotation.refusal })
  })
}

/** Each event is a delivery of its own: targets may recognise repeats by the delivery's id. */
const anOutgoing = () => ({
  event: {
    meta: anEventMeta({ id: newEventId(), topic: 'order.paid', metadata: { region: 'eu' } }),
    payload: Buffer.from('{"n": 1}'),
  },
  attempt: { number: 1, deliveryId: `dlv_${newEventId()}` },
})
