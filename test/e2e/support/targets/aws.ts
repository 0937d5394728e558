import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge'
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient, type Message } from '@aws-sdk/client-sqs'
import { startMoto } from '@barnabas/tools'
import { byEvent, type EndTarget } from './target.js'

const REGION = 'us-east-1'
const ACCOUNT = '123456789012'
const BUS = 'events'
const CREDENTIALS = { key: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }

/** A server that stands in for AWS, with a queue, and with a bus whose rule passes everything on to another queue. */
export async function awsTargets(): Promise<{ readonly targets: EndTarget[]; stop(): Promise<void> }> {
  const moto = await startMoto()
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
  const common = { credentials: CREDENTIALS, stop: () => Promise.resolve() }
  const queueOf = (name: string) => collector(sqs, `${moto.url}/${ACCOUNT}/${name}`)
  const [direct, fromBus] = [queueOf('events'), queueOf('from-bus')]
  const targets: EndTarget[] = [
    {
      ...common,
      type: 'aws_sqs',
      config: { queue_url: `${moto.url}/${ACCOUNT}/events` },
      arrivals: async () =>
        byEvent(
          (await direct()).map(({ MessageAttributes, Body = '' }) => [
            MessageAttributes?.['event-id']?.StringValue ?? '',
            Body,
          ]),
        ),
    },
    {
      ...common,
      type: 'aws_eventbridge',
      config: { region: REGION, event_bus_name: BUS },
      endpoints: { aws_eventbridge: moto.url },
      arrivals: async () => byEvent((await fromBus()).map(({ Body = '' }) => eventOfBus(Body))),
    },
  ]
  return {
    targets,
    stop: async () => {
      sqs.destroy()
      bridge.destroy()
      await moto.stop()
    },
  }
}

/** Everything that a queue had so far: what is received once is hidden from then on. */
function collector(sqs: SQSClient, QueueUrl: string): () => Promise<readonly Message[]> {
  const all: Message[] = []
  const command = new ReceiveMessageCommand({
    QueueUrl,
    MaxNumberOfMessages: 10,
    VisibilityTimeout: 3_600,
    MessageAttributeNames: ['All'],
  })
  return async () => {
    for (;;) {
      const { Messages = [] } = await sqs.send(command)
      all.push(...Messages)
      if (Messages.length === 0) return all
    }
  }
}

/** The payload has been through JSON twice on the way. */
function eventOfBus(body: string): readonly [string, string] {
  const { detail } = JSON.parse(body) as { detail: { metadata: Record<string, string>; data: unknown } }
  return [detail.metadata['event-id'] ?? '', JSON.stringify(detail.data)]
}
