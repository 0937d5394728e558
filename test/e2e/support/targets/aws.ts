import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge'
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
  type Message,
} from '@aws-sdk/client-sqs'
import { jsonFault, startAwsFaults, startMoto } from '@barnabas/tools'
import { byEvent, type EndTarget } from './target.js'

const REGION = 'us-east-1'
const ACCOUNT = '123456789012'
const BUS = 'events'
const CREDENTIALS = { key: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const FOREVER = 1_000_000

/**
 * A server that stands in for AWS, and a proxy that refuses keys, which the server itself does not; with a queue, and with a bus whose rule passes everything on to another queue.
 */
export async function awsTargets(): Promise<{ readonly targets: EndTarget[]; stop(): Promise<void> }> {
  const moto = await startMoto()
  const door = await startAwsFaults(moto.port)
  const client = {
    endpoint: moto.url,
    region: REGION,
    credentials: { accessKeyId: CREDENTIALS.key, secretAccessKey: CREDENTIALS.secret },
  }
  const sqs = new SQSClient(client)
  const bridge = new EventBridgeClient(client)
  for (const QueueName of ['events', 'from-bus']) await sqs.send(new CreateQueueCommand({ QueueName }))
  await bridge.send(new CreateEventBusCommand({ Name: BUS }))
  const rule = { Name: 'all', EventBusName: BUS }
  await bridge.send(new PutRuleCommand({ ...rule, EventPattern: '{"source":["barnabas"]}' }))
  const Targets = [{ Id: 'queue', Arn: `arn:aws:sqs:${REGION}:${ACCOUNT}:from-bus` }]
  await bridge.send(new PutTargetsCommand({ Rule: rule.Name, EventBusName: BUS, Targets }))
  const commonOf = (oldKey: string) => ({
    credentials: { ...CREDENTIALS, key: oldKey },
    rotate: () => ({
      credentials: CREDENTIALS,
      retire: () => door.failNext(FOREVER, jsonFault(400, 'UnrecognizedClientException'), oldKey),
    }),
    stop: () => Promise.resolve(),
  })
  const queueOf = (name: string) => collector(sqs, `${moto.url}/${ACCOUNT}/${name}`)
  const [direct, fromBus] = [queueOf('events'), queueOf('from-bus')]
  const targets: EndTarget[] = [
    {
      ...commonOf('AKIAOLDOLDOLDOLDOLD1'),
      type: 'aws_sqs',
      config: { queue_url: `${door.url}/${ACCOUNT}/events` },
      arrivals: async () =>
        byEvent(
          (await direct()).map(({ MessageAttributes, Body = '' }) => [
            MessageAttributes?.['event-id']?.StringValue ?? '',
            Body,
          ]),
        ),
    },
    {
      ...commonOf('AKIAOLDOLDOLDOLDOLD2'),
      type: 'aws_eventbridge',
      config: { region: REGION, event_bus_name: BUS },
      endpoints: { aws_eventbridge: door.url },
      arrivals: async () => byEvent((await fromBus()).map(({ Body = '' }) => eventOfBus(Body))),
    },
  ]
  return {
    targets,
    stop: async () => {
      sqs.destroy()
      bridge.destroy()
      await door.stop()
      await moto.stop()
    },
  }
}

/** Everything that a queue had so far: what is received is taken out, for each look at it takes the longer else. */
function collector(sqs: SQSClient, QueueUrl: string): () => Promise<readonly Message[]> {
  const all: Message[] = []
  const command = new ReceiveMessageCommand({
    QueueUrl,
    MaxNumberOfMessages: 10,
    MessageAttributeNames: ['All'],
  })
  return async () => {
    for (;;) {
      const { Messages = [] } = await sqs.send(command)
      all.push(...Messages)
      if (Messages.length === 0) return all
      const Entries = Messages.map(({ ReceiptHandle }, place) => ({ Id: String(place), ReceiptHandle }))
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
    }
  }
}

/** The payload has been through JSON twice on the way. */
function eventOfBus(body: string): readonly [string, string] {
  const { detail } = JSON.parse(body) as { detail: { metadata: Record<string, string>; data: unknown } }
  return [detail.metadata['event-id'] ?? '', JSON.stringify(detail.data)]
}
