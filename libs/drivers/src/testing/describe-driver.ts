import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { newEventId, FIRST_RUN, type EventMeta, type Outcome } from '@barnabas/domain'
import { eventually } from '@barnabas/testing'
import {
  type Driver,
  type OutgoingEvent,
  type RawSettings,
  type Sender,
  type SenderTools,
} from '../driver.js'
import { MASK } from '../credentials.js'
import { itGoesOverToRotatedCredentials, type RotationHarness } from './describe-rotation.js'
import { openSender } from './open-sender.js'

/** What arrived at a target. */
export interface Arrived {
  readonly body: Buffer
  /** The event's metadata as the target sees them. */
  readonly metadata: Readonly<Record<string, string>>
  readonly eventId: string
}

/** A real target of a destination type, and what is right and wrong for it. */
export interface DriverHarness extends RotationHarness {
  /** Ends the target and starts it again at the same address. */
  restart(): Promise<void>
  /** Settings that reach the running target. */
  settings(): RawSettings
  /** Settings of a target that nobody listens at. */
  unreachable(): RawSettings
  /** From now on the target takes longer than any test waits. */
  becomeSlow(): void
  becomeQuick(): void
  /** What has arrived so far. May ask the target. */
  arrived(): readonly Arrived[] | Promise<readonly Arrived[]>
  /**
   * What arrives of an event: body and metadata as they are, unless given. For types that make a message for people of
   * the event.
   */
  carried?(event: OutgoingEvent): Pick<Arrived, 'body' | 'metadata'>
  /** `testTools()` unless given: for vendors' fixed hosts, whose endpoint only the operator may change. */
  tools?(): SenderTools
  /** Settings with wrong credentials, and the code that they lead to; null when the target has none. */
  badCredentials(): { readonly settings: RawSettings; readonly code: Outcome['code'] } | null
  /** Path of the mistake → settings with that mistake. */
  readonly invalid: Readonly<Record<string, (valid: RawSettings) => RawSettings>>
}

const META: EventMeta = {
  id: newEventId(),
  tenantId: 'acme',
  tenantUid: null,
  topic: 'order.paid',
  time: '2026-01-15T10:00:00.000Z',
  metadata: { region: 'eu' },
  contentType: 'application/json',
  isEligibleForRetry: true,
  destinationId: null,
  source: null,
  sourceId: null,
  traceparent: null,
  run: FIRST_RUN,
}

const anOutgoing = (meta: Partial<EventMeta> = {}, payload = Buffer.from('{"n": 1}')): OutgoingEvent => ({
  meta: { ...META, id: newEventId(), ...meta },
  payload,
})

/** Each event is a delivery of its own: targets may recognise repeats by the delivery's id. */
const ATTEMPT = {
  number: 1,
  get deliveryId() {
    return `dlv_${newEventId()}`
  },
}
const never = new AbortController().signal
const PARALLEL_SENDS = 100

/** The suite that every driver passes against a real target. */
export function describeDriver(driver: Driver, harness: DriverHarness): void {
  describe(`the driver ${driver.type}`, () => {
    const senders: Sender[] = []

    beforeAll(() => harness.start())
    afterAll(() => harness.stop())
    afterEach(async () => {
      harness.becomeQuick()
      await Promise.all(senders.splice(0).map((sender) => sender.close()))
    })

    const open = (settings: RawSettings = harness.settings()): Sender => {
      const sender = openSender(driver, settings, harness.tools?.())
      senders.push(sender)
      return sender
    }

    it('accepts valid settings and completes what may be left out', () => {
      const { credentials } = driver.completeCredentials(harness.settings().credentials)
      expect(driver.validate({ ...harness.settings(), credentials }).ok).toBe(true)
    })

    it.each(Object.keys(harness.invalid))('refuses a wrong %s with its path', (path) => {
      const settings = harness.settings()
      const { credentials } = driver.completeCredentials(settings.credentials)
      const wrong = harness.invalid[path]?.({ ...settings, credentials }) ?? settings
      const read = driver.validate(wrong)
      expect(read.ok ? [] : read.failure.map((problem) => problem.path)).toEqual([path])
    })

    it('masks every secret', () => {
      const { credentials } = driver.completeCredentials(harness.settings().credentials)
      const masked = driver.maskCredentials(credentials as Record<string, string>)
      const secrets = driver.catalogue.credential_fields.filter(({ sensitive }) => sensitive)
      for (const { key } of secrets) if (masked[key] !== undefined) expect(masked[key]).toBe(MASK)
    })

    it('delivers body and metadata unchanged', async () => {
      const payload = Buffer.from('{"n":12345678901234567890,  "b":1,"a":"\\u0000"}')
      const event = anOutgoing({ metadata: { region: 'eu', tier: '1' } }, payload)
      expect((await open().send(event, ATTEMPT, never)).kind).toBe('delivered')
      const arrived = await eventually(async () =>
        (await harness.arrived()).find(({ eventId }) => eventId === event.meta.id),
      )
      const carried = harness.carried?.(event) ?? { body: payload, metadata: { region: 'eu', tier: '1' } }
      expect(arrived?.body).toEqual(carried.body)
      expect(arrived?.metadata).toMatchObject(carried.metadata)
    })

    it('sends side by side, each event once', async () => {
      const sender = open()
      const events = Array.from({ length: PARALLEL_SENDS }, () => anOutgoing())
      const outcomes = await Promise.all(events.map((event) => sender.send(event, ATTEMPT, never)))
      expect(outcomes.map(({ kind }) => kind)).toEqual(events.map(() => 'delivered'))
      const sent = new Set<string>(events.map(({ meta }) => meta.id))
      const idsArrived = async () =>
        (await harness.arrived()).map(({ eventId }) => eventId).filter((id) => sent.has(id))
      await eventually(async () => (await idsArrived()).length >= sent.size)
      expect((await idsArrived()).sort()).toEqual([...sent].sort())
    })

    it('answers retryable when the target cannot be reached', async () => {
      expect((await open(harness.unreachable()).send(anOutgoing(), ATTEMPT, never)).kind).toBe('retryable')
    })

    it('ends a delivery with wrong credentials for good, and names the reason', async () => {
      const bad = harness.badCredentials()
      if (bad === null) return
      expect(await open(bad.settings).send(anOutgoing(), ATTEMPT, never)).toMatchObject({
        kind: 'permanent',
        code: bad.code,
      })
    })

    it.each<[string, Outcome['code']]>([
      ['timeout', 'timeout'],
      ['shutdown', 'aborted'],
    ])('stops when it is aborted because of %s', async (reason, code) => {
      harness.becomeSlow()
      const abort = new AbortController()
      const sent = open().send(anOutgoing(), ATTEMPT, abort.signal)
      setTimeout(() => abort.abort(reason), ABORT_AFTER_MS)
      expect(await sent).toMatchObject({ kind: 'retryable', code })
    })

    it('closes only when sends in flight have ended, and may be closed twice', async () => {
      const sender = open()
      const event = anOutgoing()
      const sent = sender.send(event, ATTEMPT, never)
      await Promise.all([sender.close(), sender.close()])
      expect((await sent).kind).toBe('delivered')
    })

    it('delivers again after the target was restarted', async () => {
      const sender = open()
      expect((await sender.send(anOutgoing(), ATTEMPT, never)).kind).toBe('delivered')
      await harness.restart()
      // One attempt may meet the connection that the old target closed; the next one must not.
      await sender.send(anOutgoing(), ATTEMPT, never)
      expect(await sender.send(anOutgoing(), ATTEMPT, never)).toMatchObject({ kind: 'delivered' })
    })

    itGoesOverToRotatedCredentials(harness, open)
  })
}

/** Long enough for the request to be on its way. */
const ABORT_AFTER_MS = 100
