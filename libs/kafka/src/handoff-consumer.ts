import { SECOND, toError } from '@barnabas/domain'
import type { Consumer, EachBatchPayload, Kafka, Offsets } from 'kafkajs'
import type { KafkaLog } from './kafka-log.js'
import { LeasedPartition } from './leased-partition.js'
import { detachRecord } from './log-record.js'
import type { BatchHandler } from './ports.js'

/**
 * Reads Kafka topics as a member of a group and hands every batch off at once.
 *
 *            start                    GROUP_JOIN
 *   STOPPED ───────► CONNECTING ───────────────────► CONSUMING ──► (REBALANCING: commit, then GROUP_JOIN again)
 *      ▲                 ▲   Kafka away: try again       │ CRASH: leases end, the kafkajs consumer is replaced
 *      │                 └───────────────────────────────┤
 *      └── stop: pause, wait ≤ 2 s for what is in flight, commit, leave ◄┘
 *
 * IMPORTANT: nothing is awaited in `eachBatch` but the hand-off itself. kafkajs has one fetch loop per broker;
 * a handler that took its time would stop all partitions of that broker, and the heartbeats with them.
 * At every join all leases end and reading begins anew at the committed offsets: another member may have owned
 * any partition meanwhile. What was in flight is then done again by whoever owns it.
 */
export interface HandoffConsumerOptions {
  readonly kafka: Kafka
  readonly groupId: string
  readonly log: KafkaLog
  /** `prompt` = each record as soon as it is there. `gathered` = what came within a quarter of a second together. */
  readonly fetch?: FetchStyle | undefined
  /** Which handler reads which Kafka topic. Asked again at every (re)start, so that new ones are found. */
  readonly subscriptions: () => Promise<ReadonlyMap<string, BatchHandler>>
}

export type FetchStyle = 'prompt' | 'gathered'

/**
 * A gathered fetch is answered when so much is there, or after MAX_WAIT_MS: at 200 events/s one by one the log took
 * 3 ms of CPU per event in PostgreSQL and recorder.
 */
const GATHERED_BYTES = 128 * 1024

/** Short enough that a killed member's partitions move within 15 s, and ten heartbeats long. */
const SESSION_TIMEOUT_MS = 10 * SECOND
const REBALANCE_TIMEOUT_MS = 15 * SECOND
const HEARTBEAT_INTERVAL_MS = 1 * SECOND
/** With everything paused kafkajs sleeps this long between heartbeats. */
const MAX_WAIT_MS = 250
/** Fetch responses are decoded whole; smaller ones keep the event loop free. */
const MAX_BYTES_PER_PARTITION = 512 * 1024
const MAX_BYTES = 4 * 1024 * 1024
const COMMIT_INTERVAL_MS = 1 * SECOND
/** One hanging target must not hold up a shutdown: what still runs is delivered again by the next owner. */
const STOP_GRACE_MS = 2 * SECOND
const STOP_POLL_MS = 20
/** Leaving the group takes milliseconds; when no broker answers it would take the whole connection timeout. */
const DISCONNECT_LIMIT_MS = 3 * SECOND
const FIRST_RESTART_DELAY_MS = 300
const MAX_RESTART_DELAY_MS = 5 * SECOND
const QUIET_RESTART_DELAY_MS = 2 * SECOND

type Commit = (offsets: Offsets) => Promise<void>

export class HandoffConsumer {
  private consumer: Consumer | null = null
  private commit: Commit | null = null
  private connecting: Promise<void> = Promise.resolve()
  private handlers: ReadonlyMap<string, BatchHandler> = new Map()
  private readonly partitions = new Map<string, LeasedPartition>()
  private readonly assigned = new Set<string>()
  private isStopping = false
  private isMember = false
  private hasJoinedOnce = false
  private restartDelayMs = FIRST_RESTART_DELAY_MS
  private restartTimer: NodeJS.Timeout | null = null
  private commitTimer: NodeJS.Timeout | null = null

  constructor(private readonly options: HandoffConsumerOptions) {}

  /** True while the consumer is a member of its group. */
  get isJoined(): boolean {
    return this.isMember
  }

  /** Begins to consume and keeps at it: while Kafka is away it tries again by itself. Returns at once. */
  start(): void {
    this.commitTimer = setInterval(() => void this.commitFinished(), COMMIT_INTERVAL_MS)
    this.connecting = this.connect()
  }

  async stop(): Promise<void> {
    if (this.isStopping) return
    this.isStopping = true
    if (this.restartTimer) clearTimeout(this.restartTimer)
    if (this.commitTimer) clearInterval(this.commitTimer)
    for (const partition of this.partitions.values()) partition.beginStopping()
    await this.untilNothingIsInFlight()
    await this.commitFinished()
    this.endLeases()
    await this.disconnect()
  }

  private async connect(): Promise<void> {
    try {
      this.handlers = await this.options.subscriptions()
      if (this.isStopping) return
      const consumer = this.options.kafka.consumer({
        groupId: this.options.groupId,
        sessionTimeout: SESSION_TIMEOUT_MS,
        rebalanceTimeout: REBALANCE_TIMEOUT_MS,
        heartbeatInterval: HEARTBEAT_INTERVAL_MS,
        maxWaitTimeInMs: MAX_WAIT_MS,
        maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
        maxBytes: MAX_BYTES,
        minBytes: this.options.fetch === 'gathered' ? GATHERED_BYTES : 1,
        // A crashed consumer is replaced here, in one place, whatever kafkajs thinks of the error.
        retry: { restartOnFailure: () => Promise.resolve(false) },
      })
      this.consumer = consumer
      this.listen(consumer)
      await consumer.connect()
      // An offset out of range goes to the earliest record; `latest` would lose what lies between.
      await consumer.subscribe({ topics: [...this.handlers.keys()], fromBeginning: true })
      if (this.consumer !== consumer) return
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => {
          this.handOff(payload)
          return Promise.resolve()
        },
      })
    } catch (error) {
      this.replaceLater(toError(error))
    }
  }

  private listen(consumer: Consumer): void {
    const current = (): boolean => this.consumer === consumer
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (current()) this.onJoin(consumer, payload.memberAssignment)
    })
    consumer.on(consumer.events.REBALANCING, () => {
      if (current()) void this.commitFinished()
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (current()) this.replaceLater(payload.error)
    })
  }

  private onJoin(consumer: Consumer, assignment: Record<string, number[]>): void {
    this.endLeases()
    this.isMember = true
    this.hasJoinedOnce = true
    this.restartDelayMs = FIRST_RESTART_DELAY_MS
    this.assigned.clear()
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) this.assigned.add(partitionKey(topic, partition))
      // A pause survives a rebalance, even for a partition that was lost and came back.
      consumer.resume([{ topic, partitions }])
    }
    const fields = { group_id: this.options.groupId, partitions: this.assigned.size }
    this.options.log.info(fields, 'kafka.group_joined')
  }

  private handOff(payload: EachBatchPayload): void {
    const { topic, partition, messages } = payload.batch
    this.commit = (offsets) => payload.commitOffsetsIfNecessary(offsets)
    const handler = this.handlers.get(topic)
    const first = messages[0]
    if (!handler || !first || this.isStopping || !this.assigned.has(partitionKey(topic, partition))) return
    const leased = this.lease(topic, partition, Number(first.offset))
    const records = messages.map((message) => detachRecord(topic, partition, message))
    const accepted = leased.receive(records, Number(payload.batch.lastOffset()))
    const last = messages.at(-1)
    if (last) payload.resolveOffset(last.offset)
    if (accepted.length > 0) handler({ records: accepted, lease: leased.lease })
  }

  private lease(topic: string, partition: number, firstOffset: number): LeasedPartition {
    const key = partitionKey(topic, partition)
    const existing = this.partitions.get(key)
    if (existing) return existing
    const flow = {
      pause: () => this.consumer?.pause([{ topic, partitions: [partition] }]),
      resume: () => {
        if (!this.isStopping) this.consumer?.resume([{ topic, partitions: [partition] }])
      },
    }
    const created = new LeasedPartition({ kafkaTopic: topic, partition, firstOffset, flow })
    this.partitions.set(key, created)
    return created
  }

  /** Commits what is finished, of the current assignment only: brokers check the generation, not the ownership. */
  private async commitFinished(): Promise<void> {
    const due = [...this.partitions.values()].filter((partition) => partition.hasUncommitted)
    if (!this.commit || due.length === 0) return
    const marks = due.map((partition) => ({ partition, offset: partition.commitPoint }))
    const topics = marks.map(({ partition, offset }) => ({
      topic: partition.kafkaTopic,
      partitions: [{ partition: partition.partition, offset: String(offset) }],
    }))
    try {
      await this.commit({ topics })
      for (const { partition, offset } of marks) partition.committed(offset)
    } catch (error) {
      // A rebalance or a lost coordinator: the next round, or the next owner, does it.
      const { message } = toError(error)
      this.options.log.debug({ group_id: this.options.groupId, error: message }, 'kafka.commit_failed')
    }
  }

  private async untilNothingIsInFlight(): Promise<void> {
    const deadlineMs = performance.now() + STOP_GRACE_MS
    const isBusy = (): boolean => [...this.partitions.values()].some((partition) => partition.inFlight > 0)
    while (isBusy() && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS))
    }
  }

  private endLeases(): void {
    for (const partition of this.partitions.values()) partition.end()
    this.partitions.clear()
  }

  private replaceLater(error: Error): void {
    this.isMember = false
    this.endLeases()
    this.assigned.clear()
    void this.disconnect()
    if (this.isStopping || this.restartTimer) return
    const fields = { group_id: this.options.groupId, error: error.message, retry_in_ms: this.restartDelayMs }
    // The coordinator of a cluster that has just started is loading: the first tries of a new consumer often fail.
    const level = this.hasJoinedOnce || this.restartDelayMs > QUIET_RESTART_DELAY_MS ? 'warn' : 'debug'
    this.options.log[level](fields, 'kafka.consumer_replaced')
    this.restartTimer = setTimeout(() => {
      this.restartTimer = null
      this.connecting = this.connect()
    }, this.restartDelayMs)
    this.restartDelayMs = Math.min(this.restartDelayMs * 2, MAX_RESTART_DELAY_MS)
  }

  private async disconnect(): Promise<void> {
    const consumer = this.consumer
    this.consumer = null
    this.commit = null
    this.isMember = false
    if (!consumer) return
    const limit = new Promise<void>((resolve) => setTimeout(resolve, DISCONNECT_LIMIT_MS).unref())
    // kafkajs forgets a consumer that is stopped during its first join: it would join, and hold its partitions for ever.
    const left = this.connecting.then(() => consumer.disconnect()).catch(() => undefined)
    await Promise.race([left, limit])
  }
}

const partitionKey = (topic: string, partition: number): string => `${topic}/${partition}`
