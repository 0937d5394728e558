import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { AttemptRecord } from '@barnabas/domain'
import {
  encodeAttempt,
  kafkaNames,
  openKafka,
  topicPlan,
  type KafkaEdge,
  type KafkaNames,
  type LogProducer,
} from '@barnabas/kafka'
import { openStorage, type Storage } from '@barnabas/storage'
import { anAttempt, eventually, parseMetrics, testBrokers, uniqueName } from '@barnabas/testing'
import {
  AppProcess,
  freePort,
  removePostgresData,
  startPostgres,
  throwawayFolder,
  type Postgres,
} from '@barnabas/tools'

const ATTEMPTS = 30_000
/** Far below the producer's bound on what may wait. */
const CHUNK = 3_000
const KIB = 1_024
const MIB = 1_024 * KIB
/** A partition may hold 64 MiB of unfinished records; beside them stand their objects and the last fetch: 107 MiB. */
const MAX_GROWTH_WAITING_BYTES = 192 * MIB
/** Then they are written, in statements of up to 8 MiB that leave garbage: 235 MiB. */
const MAX_GROWTH_BYTES = 384 * MIB
const START_TIMEOUT_MS = 60_000
const CATCH_UP = { timeoutMs: 90_000, intervalMs: 250 }
const WAIT = { timeoutMs: 60_000, intervalMs: 250 }

describe('the memory of a recorder without PostgreSQL', () => {
  const folder = throwawayFolder('recorder-memory')
  const prefix = `${uniqueName('recorder')}.`
  const names: KafkaNames = kafkaNames(prefix)
  let kafka: KafkaEdge
  let producer: LogProducer
  let postgres: Postgres
  let storage: Storage
  let recorder: AppProcess

  beforeAll(async () => {
    kafka = openKafka({ brokers: testBrokers(), clientId: 'int-spec' })
    producer = kafka.createProducer()
    const needed = [names.routings, names.attempts, names.signals]
    // One partition holds more than it may have unfinished.
    const plan = topicPlan(names, { partitions: 1, replicationFactor: 1, tiers: [], maxEventBytes: 1024 })
    await kafka.ensureTopics(plan.filter(({ kafkaTopic }) => needed.includes(kafkaTopic)))
    postgres = await startPostgres({ dataDir: folder, isFast: true })
    storage = openStorage({ url: postgres.url, applicationName: 'int-spec' })
    await storage.migrate()
    const port = await freePort()
    const env = {
      DATABASE_URL: postgres.url,
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: prefix,
      PARTITIONS: '1',
      HEALTH_PORT: String(port),
      LOG_LEVEL: 'error',
    }
    recorder = new AppProcess({ name: 'recorder', port, env, onLine: () => undefined })
    if (!(await recorder.untilReady(START_TIMEOUT_MS))) throw new Error('the recorder did not become ready')
  }, START_TIMEOUT_MS)
  afterAll(async () => {
    await recorder?.stop()
    await kafka?.close()
    await storage?.close()
    await postgres?.stop()
    removePostgresData(folder)
    rmSync(folder, { recursive: true, force: true })
  }, START_TIMEOUT_MS)

  /** Of 1 to 4 KiB, all different. */
  const attempt = (number: number): AttemptRecord =>
    anAttempt({
      tenantId: 'acme',
      acceptedAtMs: Date.now(),
      startedAtMs: Date.now(),
      response: {
        status: 200,
        headers: { 'content-type': 'text/plain' },
        body: Buffer.alloc(KIB + (number % 4) * KIB, `answer ${number} `),
        isBodyCut: false,
      },
    })

  async function send(given: readonly AttemptRecord[]): Promise<void> {
    const kafkaTopic = names.attempts
    for (let from = 0; from < given.length; from += CHUNK) {
      await Promise.all(
        given
          .slice(from, from + CHUNK)
          .map((one) =>
            producer.enqueue({ kafkaTopic, key: one.destinationUid, partition: 0, ...encodeAttempt(one) }),
          ),
      )
    }
  }

  async function metrics() {
    const answer = await fetch(`http://127.0.0.1:${recorder.metricsPort}/metrics`)
    const { total } = parseMetrics(await answer.text())
    return {
      rssBytes: total('barnabas_process_memory_bytes', { memory: 'rss' }),
      read: total('barnabas_consumer_records_total', { kafka_topic: 'attempts' }),
      lag: total('barnabas_consumer_lag_records', { kafka_topic: 'attempts' }),
      waits: total('barnabas_log_failures_total', { reason: 'postgres_away' }),
      mistakes: total('barnabas_log_failures_total', { reason: 'other' }),
    }
  }

  const loggedIds = () =>
    storage.transaction(async (tx) => {
      const rows = await tx.query<{ id: string }[]>('SELECT attempt_id AS id FROM attempts')
      return new Set(rows.map(({ id }) => id))
    })

  it('stays bounded while more arrives than it may hold, metrics tell, and the log is whole afterwards', async () => {
    const first = Array.from({ length: 10 }, (_, number) => attempt(number))
    await send(first)
    await eventually(async () => (await loggedIds()).size === first.length, WAIT)
    const before = await metrics()
    await postgres.stop()

    const made = Array.from({ length: ATTEMPTS }, (_, number) => attempt(number))
    await send(made)
    let peakBytes = 0
    // It has stopped to read when two looks in a row see the same.
    let readBefore = -1
    const waiting = await eventually(async () => {
      const now = await metrics()
      peakBytes = Math.max(peakBytes, now.rssBytes)
      const hasStopped = now.read > before.read && now.read === readBefore
      readBefore = now.read
      if (!(hasStopped && now.waits > 3 && now.lag > 0)) throw new Error(JSON.stringify(now))
      return now
    }, WAIT)
    expect(waiting.read - before.read).toBeLessThan(ATTEMPTS)
    expect(peakBytes - before.rssBytes).toBeLessThan(MAX_GROWTH_WAITING_BYTES)
    expect(await recorder.isReady()).toBe(true)

    postgres = await startPostgres({ dataDir: folder, port: postgres.port, isFast: true })
    await eventually(async () => {
      peakBytes = Math.max(peakBytes, (await metrics()).rssBytes)
      const logged = await loggedIds()
      return [...first, ...made].every(({ id }) => logged.has(id))
    }, CATCH_UP)
    expect((await loggedIds()).size).toBe(first.length + made.length)
    expect(peakBytes - before.rssBytes).toBeLessThan(MAX_GROWTH_BYTES)
    expect((await metrics()).mistakes).toBe(0)
  }, 240_000)
})
