import { randomBytes } from 'node:crypto'
import { openKafka, type KafkaEdge } from '@barnabas/kafka'
import { Api } from './demo/api.js'
import { Deliveries, type Seen } from './demo/deliveries.js'
import { DemoReceiver } from './demo/demo-receiver.js'
import { ingestRecords } from './demo/ingest-records.js'
import { findRunningInstance, type RunningInstance } from './demo/running-instance.js'
import { screen } from './demo/screen.js'
import { Problem, runProgram } from './problem.js'

const EVENTS_EACH_WAY = 10
/** The apps have just started, perhaps; usually it takes milliseconds. */
const FIRST_DELIVERIES_MS = 12_000
/** A longer first step is not waited for: nobody looks at a still screen. */
const LONGEST_RETRY_WAIT_MS = 12_000
/** Jitter (10 %) and the way through the tier, which is late by 1.5 s at most. */
const RETRY_SLACK_MS = 3_000

interface Stage {
  readonly instance: RunningInstance
  readonly api: Api
  readonly kafka: KafkaEdge
  readonly deliveries: Deliveries
  readonly receiver: DemoReceiver
  readonly tenantId: string
}

async function publishBothWays({ instance, api, kafka, deliveries, tenantId }: Stage): Promise<void> {
  screen.heading(
    `${EVENTS_EACH_WAY} events by REST, ${EVENTS_EACH_WAY} straight into the Kafka topic ${instance.ingestTopic}`,
  )
  const byRest = Array.from({ length: EVENTS_EACH_WAY }, (_, index) =>
    api.call('POST', '/publish', {
      tenant_id: tenantId,
      topic: 'order.paid',
      metadata: { via: 'REST' },
      data: { order_id: `ord_${index + 1}` },
    }),
  )
  const producer = kafka.createProducer()
  const byKafka = ingestRecords(tenantId, EVENTS_EACH_WAY).map((record) =>
    // Any partition will do: producers write as they like.
    producer.enqueue({ kafkaTopic: instance.ingestTopic, partition: 0, ...record }),
  )
  await Promise.all([...byRest, ...byKafka])
  const all = 2 * EVENTS_EACH_WAY
  const haveAll = (seen: readonly Seen[]): boolean => new Set(seen.map(({ eventId }) => eventId)).size >= all
  await deliveries.until(haveAll, FIRST_DELIVERIES_MS, `All ${all} deliveries`)
}

/** Returns the event's id, whose attempts are worth a look afterwards. */
async function failOnce({ instance, api, deliveries, receiver, tenantId }: Stage): Promise<string> {
  const [firstDelayMs] = instance.retryScheduleMs
  screen.heading('The receiver fails once')
  receiver.failOnce()
  const published = (await api.call('POST', '/publish', {
    tenant_id: tenantId,
    topic: 'order.refunded',
    metadata: { via: 'REST' },
    data: { order_id: 'ord_1' },
  })) as { id: string }
  const attempted = (attempt: number) => (seen: readonly Seen[]) =>
    seen.some((one) => one.eventId === published.id && one.attempt === attempt)
  await deliveries.until(attempted(1), FIRST_DELIVERIES_MS, 'The first attempt')
  if (firstDelayMs === undefined || firstDelayMs > LONGEST_RETRY_WAIT_MS) {
    screen.line('RETRY_SCHEDULE plans no retry within 12 s, so this is where the demo stops waiting.')
    return published.id
  }
  screen.line(
    `It waits in a delay tier now; the retry is due after ${firstDelayMs / 1_000} s and a little jitter …`,
  )
  await deliveries.until(attempted(2), firstDelayMs * 1.1 + RETRY_SLACK_MS, 'The retry')
  showWait(deliveries, published.id)
  return published.id
}

function showWait({ seen }: Deliveries, eventId: string): void {
  const [first, second] = seen.filter((one) => one.eventId === eventId)
  if (first && second)
    screen.line(`Attempt 2 came ${((second.atMs - first.atMs) / 1_000).toFixed(1)} s after attempt 1.`)
}

function showNext({ instance }: Stage, eventId: string): void {
  const curl = (path: string): string =>
    `curl -s -H "Authorization: Bearer $KEY" '${instance.apiUrl}/api/v1${path}'`
  screen.heading('Look next at')
  screen.line(`  KEY=$(node -p 'JSON.parse(fs.readFileSync("${instance.stateFile}")).apiKey')`)
  screen.line('the log of both attempts, with what the receiver answered:')
  screen.line(`  ${curl(`/attempts?event_id=${eventId}&include=response_data`)}`)
  screen.line('all events, newest first:')
  screen.line(`  ${curl('/events?limit=5')}`)
  screen.line('what was given up (nothing, so far):')
  screen.line(`  ${curl('/dead-letters')}`)
}

/** Tells what is wrong when a signature was: the demo must not end as if all were well. */
function checkSignatures({ seen }: Deliveries): void {
  const wrong = seen.filter((one) => !one.isSignatureValid).length
  if (wrong > 0) throw new Problem(`${wrong} of ${seen.length} signatures were not valid.`)
}

async function play(instance: RunningInstance): Promise<void> {
  const tenantId = `demo-${randomBytes(3).toString('hex')}`
  const api = new Api(instance.apiUrl, instance.apiKey)
  let secret = ''
  const deliveries = new Deliveries(() => secret)
  process.once('SIGINT', () => deliveries.interrupt(new Problem('Interrupted.')))
  const receiver = await DemoReceiver.start((received) => deliveries.take(received))
  const kafka = openKafka({ ...instance.kafka, clientId: 'barnabas-demo' })
  const stage: Stage = { instance, api, kafka, deliveries, receiver, tenantId }
  let failedEventId: string
  try {
    screen.heading(`Barnabas at ${instance.apiUrl}`)
    await api.call('PUT', `/tenants/${tenantId}`, {})
    const destination = (await api.call('POST', `/tenants/${tenantId}/destinations`, {
      type: 'webhook',
      topics: ['order.*'],
      config: { url: receiver.url },
    })) as { id: string; credentials: { secret: string } }
    secret = destination.credentials.secret
    screen.line(
      `Tenant ${tenantId} has a webhook destination ${destination.id} for order.* → ${receiver.url}`,
    )
    await publishBothWays(stage)
    failedEventId = await failOnce(stage)
    checkSignatures(deliveries)
  } finally {
    await leave(stage)
  }
  screen.heading('Tidied up')
  screen.line(`The tenant ${tenantId} and its destination were deleted; the log of its events stays.`)
  showNext(stage, failedEventId)
}

async function leave({ api, tenantId, receiver, kafka }: Stage): Promise<void> {
  try {
    await api.call('DELETE', `/tenants/${tenantId}`)
  } catch (error) {
    screen.bad(
      `The tenant ${tenantId} could not be deleted: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  await Promise.all([receiver.stop(), kafka.close()])
}

await runProgram(() => play(findRunningInstance()))
