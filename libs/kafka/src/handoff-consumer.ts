import { SECOND, toError } from '@barnabas/domain'
import kafkajs, { type Consumer, type EachBatchPayload, type Kafka, type Offsets } from 'kafkajs'
import { Assignment, type Place } from './assignment.js'
import { CommittedOffsets } from './committed-offsets.js'
import type { KafkaLog } from './kafka-log.js'
import type { Flow, LeasedPartition } from './leased-partition.js'
import { LiveBytes } from './live-bytes.js'
import { Membership } from './membership.js'
import { detachRecord } from './log-record.js'
import type { BatchHandler, KafkaObserver } from './ports.js'
import { rendezvousAssigner } from './rendezvous-assigner.js'
import { Watchdog } from './watchdog.js'

/**
 * Reads Kafka topics as a member of a group and hands every batch off at once.
 *
 *            start               GROUP_JOIN              committed offsets read
 *   STOPPED ───────► CONNECTING ────────────► JOINED (all held) ──────────────► CONSUMING ──► REBALANCING: commit,
 *      ▲                 ▲   Kafka away: again    ▲                                │              │  leases go on
 *      │                 │                        └────────── GROUP_JOIN ──────────┼──────────────┘
 *      │                 └── CRASH, or nothing heard for long: leases end, the kafkajs consumer is replaced
 *      └── stop: pause, wait ≤ 2 s for what is in flight, commit, leave ◄──────────┘
 *
 * IMPORTANT: nothing is awaited in `eachBatch` but the hand-off itself. kafkajs has one fetch loop per broker;
 * a handler that took its time would stop all partitions of that broker, and the heartbeats with them.
 * What a join does to leases stands above `Assignment`. With each offset goes a map of what is finished above it, so
 * that the next owner of a partition repeats only what was in flight or finished within the last second.
 */
export interface HandoffConsumerOptions {
  readonly kafka: Kafka
  readonly groupId: string
  readonly log: KafkaLog
  readonly fetch?: FetchStyle | undefined
  /** Outlives this process (a pod's name): the same partitions come back to the same name. */
  readonly memberName: string
  readonly observer?: KafkaObserver | undefined
  /** Shared by all consumers of the process; an own one unless given. */
  readonly liveBytes?: LiveBytes | undefined
  /** Which handler reads which Kafka topic. Asked again at every (re)start, so that new ones are found. */
  readonly subscriptions: () => Promise<ReadonlyMap<string, BatchHandler>>
  /** Silence after which the consumer is replaced, milliseconds; three sessions unless given. */
  readonly silenceLimitMs?: number | undefined
}

/**
 * `prompt` = each record as soon as it is there. `gathered` = what came within a quarter of a second together.
 * `gathered-shortly` = within a tenth.
 */
export type FetchStyle = 'prompt' | 'gathered' | 'gathered-shortly'

/** Short enough that a killed member's partitions move within 15 s, and ten heartbeats long. */
const SESSION_TIMEOUT_MS = 10 * SECOND
const REBALANCE_TIMEOUT_MS = 15 * SECOND
const HEARTBEAT_INTERVAL_MS = 1 * SECOND
/**
 * A gathered fetch is answered when so much is there, or when its wait is over: at 200 events/s one by one the log took
 * 3 ms of CPU per event in PostgreSQL and recorder.
 */
const GATHERED_BYTES = 128 * 1024
const FETCHES: Readonly<Record<FetchStyle, { minBytes: number; maxWaitTimeInMs: number }>> = {
  // With everything paused kafkajs sleeps so long between heartbeats.
  prompt: { minBytes: 1, maxWaitTimeInMs: 250 },
  gathered: { minBytes: GATHERED_BYTES, maxWaitTimeInMs: 250 },
  'gathered-shortly': { minBytes: GATHERED_BYTES, maxWaitTimeInMs: 100 },
}
/** Fetch responses are decoded whole; smaller ones keep the event loop free. */
const MAX_BYTES_PER_PARTITION = 512 * 1024
const MAX_BYTES = 4 * 1024 * 1024
const COMMIT_INTERVAL_MS = 1 * SECOND
/** A partition that is paused is told its end so often. */
const ENDS_INTERVAL_MS = 5 * SECOND
const READ_RETRY_MS = SECOND / 4
/**
 * All partitions of the member are held until it is known what was committed, and an answer takes milliseconds; twice
 * as long each time, so that a cluster which is that slow is waited for. Chosen, not measured.
 */
const FIRST_READ_LIMIT_MS = 3 * SECOND
/** A consumer that is silent for so many sessions was forgotten by kafkajs: a join takes two at most. */
const SILENT_SESSIONS = 3
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
  private readonly assignment: Assignment
  private readonly offsets: CommittedOffsets
  private readonly watchdog: Watchdog
  private readonly membership = new Membership(SESSION_TIMEOUT_MS)
  /** Counts tries to connect: one that is overtaken by the next must not go on, or the process is two members. */
  private attempts = 0
  /** Counts joins: what was asked for an earlier one is out of date. */
  private joins = 0
  private isAdmitted = false
  private isStopping = false
  private isMember = false
  private hasJoinedOnce = false
  private restartDelayMs = FIRST_RESTART_DELAY_MS
  private restartTimer: NodeJS.Timeout | null = null
  private commitTimer: NodeJS.Timeout | null = null
  private endsTimer: NodeJS.Timeout | null = null

  constructor(private readonly options: HandoffConsumerOptions) {
    this.assignment = new Assignment((place) => this.flowOf(place), options.liveBytes ?? new LiveBytes())
    this.offsets = new CommittedOffsets(options.kafka, options.groupId)
    this.watchdog = new Watchdog({
      limitMs: options.silenceLimitMs ?? SILENT_SESSIONS * SESSION_TIMEOUT_MS,
      isKafkaThere: () => this.offsets.isKafkaThere(),
      onSilence: () => this.replaceLater(new Error('no answer of its group for three sessions')),
    })
  }

  /** True while the consumer is a member of its group, and the group has said so within a session. */
  get isJoined(): boolean {
    return this.isMember && this.isSure
  }

  /** See `Membership`: while it is false nothing is handed out, and nothing that was may be begun. */
  get isSure(): boolean {
    return this.membership.isSure
  }

  /** True when the consumer was replaced for its silence and is silent again: only a new process can help. */
  get isStuck(): boolean {
    return this.watchdog.isStuck
  }

  /** Begins to consume and keeps at it: while Kafka is away it tries again by itself. Returns at once. */
  start(): void {
    this.commitTimer = setInterval(() => {
      void this.commitFinished()
      this.reportLag()
    }, COMMIT_INTERVAL_MS)
    if (this.options.observer) this.endsTimer = setInterval(() => void this.askEnds(), ENDS_INTERVAL_MS)
    this.watchdog.start()
    this.connecting = this.connect()
  }

  async stop(): Promise<void> {
    if (this.isStopping) return
    this.isStopping = true
    if (this.restartTimer) clearTimeout(this.restartTimer)
    if (this.commitTimer) clearInterval(this.commitTimer)
    if (this.endsTimer) clearInterval(this.endsTimer)
    this.watchdog.stop()
    for (const partition of this.assignment.leased) partition.beginStopping()
    await this.untilNothingIsInFlight()
    await this.commitFinished()
    this.assignment.clear()
    await this.disconnect()
    await this.offsets.close()
  }

  private async connect(): Promise<void> {
    const attempt = ++this.attempts
    try {
      // May take as long as Kafka is away.
      const handlers = await this.options.subscriptions()
      if (this.isStopping || attempt !== this.attempts) return
      this.handlers = handlers
      this.watchdog.hear()
      const consumer = this.options.kafka.consumer({
        groupId: this.options.groupId,
        sessionTimeout: SESSION_TIMEOUT_MS,
        rebalanceTimeout: REBALANCE_TIMEOUT_MS,
        heartbeatInterval: HEARTBEAT_INTERVAL_MS,
        ...FETCHES[this.options.fetch ?? 'prompt'],
        maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
        maxBytes: MAX_BYTES,
        // The second is kafkajs's own, which members of earlier releases know.
        partitionAssigners: [
          rendezvousAssigner(this.options.memberName),
          kafkajs.PartitionAssigners.roundRobin,
        ],
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
      if (attempt === this.attempts) this.replaceLater(toError(error))
    }
  }

  private listen(consumer: Consumer): void {
    const current = (): boolean => this.consumer === consumer
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (!current()) return
      this.onJoin(consumer, payload.memberId, placesOf(payload.memberAssignment)).catch((error: unknown) => {
        // It has stopped meanwhile, before it said that it crashed.
        if (current()) this.replaceLater(toError(error))
      })
    })
    consumer.on(consumer.events.REBALANCING, () => {
      if (current()) void this.commitFinished()
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (current()) this.replaceLater(payload.error)
    })
    for (const proof of [consumer.events.HEARTBEAT, consumer.events.GROUP_JOIN]) {
      consumer.on(proof, () => {
        if (!current()) return
        this.membership.prove()
        this.watchdog.hear()
      })
    }
  }

  /**
   * Holds every partition until it is known what the group has committed of it; then each is read on from there, or
   * from where its kept lease stands. IMPORTANT: all of them are sought, also those that kafkajs would read right: a seek
   * that was queued for a partition which was then lost would fire when it comes back, and skip records.
   */
  private async onJoin(consumer: Consumer, memberId: string, places: readonly Place[]): Promise<void> {
    const join = ++this.joins
    this.isAdmitted = false
    this.isMember = true
    this.hasJoinedOnce = true
    this.restartDelayMs = FIRST_RESTART_DELAY_MS
    for (const { kafkaTopic, partition } of places) {
      consumer.pause([{ topic: kafkaTopic, partitions: [partition] }])
    }
    this.assignment.join(memberId, places)
    const committed = await this.readCommitted(places, join)
    if (!committed || this.joins !== join || this.consumer !== consumer || this.isStopping) return
    for (const { kafkaTopic: topic, partition, offset, isPaused } of this.assignment.admit(committed)) {
      consumer.seek({ topic, partition, offset: String(offset) })
      // A pause survives a rebalance, even for a partition that was lost and came back.
      if (!isPaused) consumer.resume([{ topic, partitions: [partition] }])
    }
    this.isAdmitted = true
    this.options.observer?.rebalanced()
    const fields = { group_id: this.options.groupId, partitions: this.assignment.size }
    this.options.log.info(fields, 'kafka.group_joined')
  }

  /** Tries until it is answered; null when another join, or the end, came first. */
  private async readCommitted(places: readonly Place[], join: number) {
    const topics = [...new Set(places.map(({ kafkaTopic }) => kafkaTopic))]
    let limitMs = FIRST_READ_LIMIT_MS
    while (this.joins === join && !this.isStopping) {
      try {
        return await this.offsets.read(topics, limitMs)
      } catch (error) {
        limitMs *= 2
        const fields = { group_id: this.options.groupId, error: toError(error).message }
        this.options.log.debug(fields, 'kafka.committed_offsets_not_read')
        await new Promise((resolve) => setTimeout(resolve, READ_RETRY_MS))
      }
    }
    return null
  }

  private handOff(payload: EachBatchPayload): void {
    const { topic, partition, messages } = payload.batch
    this.commit = (offsets) => payload.commitOffsetsIfNecessary(offsets)
    const handler = this.handlers.get(topic)
    const first = messages[0]
    const place = { kafkaTopic: topic, partition }
    if (!handler || !first || this.isStopping || !this.isAdmitted || !this.isSure) return
    const fit = this.assignment.fitOf(place, fetchedOffsetOf(payload))
    if (fit === 'ask-again') {
      this.consumer?.seek({ topic, partition, offset: String(this.assignment.nextOffsetOf(place)) })
    }
    if (fit !== 'fits') return
    const leased = this.assignment.lease(place, Number(first.offset))
    const records = messages.map((message) => detachRecord(topic, partition, message))
    this.observe(leased, payload, Number(first.timestamp))
    const accepted = leased.receive(records, Number(payload.batch.lastOffset()))
    const last = messages.at(-1)
    if (last) payload.resolveOffset(last.offset)
    if (accepted.length > 0) handler({ records: accepted, lease: leased.lease })
  }

  private observe(leased: LeasedPartition, { batch }: EachBatchPayload, timestampMs: number): void {
    const { observer } = this.options
    if (!observer) return
    observer.consumed({ kafkaTopic: batch.topic, records: batch.messages.length })
    leased.lag.note({ offset: Number(batch.firstOffset() ?? 0), timestampMs }, Number(batch.highWatermark))
  }

  private async askEnds(): Promise<void> {
    const paused = this.assignment.leased.filter(({ isPaused }) => isPaused)
    for (const topic of new Set(paused.map(({ kafkaTopic }) => kafkaTopic))) {
      // Without an answer the lag stays what it was.
      const ends = await this.offsets.ends(topic).catch(() => new Map<number, number>())
      for (const { kafkaTopic, partition, lag } of paused) {
        if (kafkaTopic === topic) lag.noteEnd(ends.get(partition) ?? 0)
      }
    }
  }

  private reportLag(): void {
    const { observer } = this.options
    if (!observer) return
    for (const { kafkaTopic, partition, lag, commitPoint } of this.assignment.leased) {
      observer.lag({ kafkaTopic, partition, ...lag.measure(commitPoint, Date.now()) })
    }
  }

  private flowOf({ kafkaTopic: topic, partition }: Place): Flow {
    return {
      pause: () => this.consumer?.pause([{ topic, partitions: [partition] }]),
      resume: () => {
        // Before it is admitted a partition fetches nothing; `admit` tells then who is paused.
        if (!this.isStopping && this.isAdmitted) this.consumer?.resume([{ topic, partitions: [partition] }])
      },
    }
  }

  /** Commits what is finished, of the current assignment only: brokers check the generation, not the ownership. */
  private async commitFinished(): Promise<void> {
    const due = this.assignment.leased.flatMap((partition) => {
      const mark = partition.dueCommit
      return mark ? [{ partition, mark }] : []
    })
    if (!this.commit || due.length === 0) return
    const topics = due.map(({ partition: { kafkaTopic, partition }, mark: { offset, metadata } }) => ({
      topic: kafkaTopic,
      partitions: [{ partition, offset: String(offset), metadata }],
    }))
    try {
      await this.commit({ topics })
      this.membership.prove()
      for (const { partition, mark } of due) partition.committed(mark)
    } catch (error) {
      // A rebalance or a lost coordinator: the next round, or the next owner, does it.
      const { message } = toError(error)
      this.options.log.debug({ group_id: this.options.groupId, error: message }, 'kafka.commit_failed')
    }
  }

  private async untilNothingIsInFlight(): Promise<void> {
    const deadlineMs = performance.now() + STOP_GRACE_MS
    const isBusy = (): boolean => this.assignment.leased.some((partition) => partition.inFlight > 0)
    while (isBusy() && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS))
    }
  }

  private replaceLater(error: Error): void {
    this.isMember = false
    this.isAdmitted = false
    this.joins++
    this.attempts++
    this.assignment.clear()
    void this.disconnect()
    if (this.isStopping || this.restartTimer) return
    this.options.observer?.replaced()
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

const placesOf = (assignment: Record<string, number[]>): Place[] =>
  Object.entries(assignment).flatMap(([kafkaTopic, partitions]) =>
    partitions.map((partition) => ({ kafkaTopic, partition })),
  )

/** Where the batch was fetched from; kafkajs has it, but not in its types. */
function fetchedOffsetOf({ batch }: EachBatchPayload): number {
  const { fetchedOffset } = batch as unknown as { fetchedOffset: string }
  return Number(fetchedOffset)
}
