import type { Driver } from './driver.js'
import { awsEventbridge } from './aws-eventbridge/aws-eventbridge.driver.js'
import { awsKinesis } from './aws-kinesis/aws-kinesis.driver.js'
import { awsS3 } from './aws-s3/aws-s3.driver.js'
import { awsSns } from './aws-sns/aws-sns.driver.js'
import { awsSqs } from './aws-sqs/aws-sqs.driver.js'
import { azureServicebus } from './azure-servicebus/azure-servicebus.driver.js'
import { email } from './email/email.driver.js'
import { gcpPubsub } from './gcp-pubsub/gcp-pubsub.driver.js'
import { hookdeck } from './hookdeck/hookdeck.driver.js'
import { kafka } from './kafka/kafka.driver.js'
import { mqtt } from './mqtt/mqtt.driver.js'
import { nats } from './nats/nats.driver.js'
import { pagerduty } from './pagerduty/pagerduty.driver.js'
import { rabbitmq } from './rabbitmq/rabbitmq.driver.js'
import { redisStream } from './redis-stream/redis-stream.driver.js'
import { slack } from './slack/slack.driver.js'
import { sms } from './sms/sms.driver.js'
import { webhook } from './webhook/webhook.driver.js'

/** Every destination type of this release; those that the specification names first. */
export const drivers: readonly Driver[] = [
  webhook,
  hookdeck,
  awsSqs,
  awsEventbridge,
  gcpPubsub,
  rabbitmq,
  kafka,
  awsKinesis,
  awsSns,
  awsS3,
  azureServicebus,
  nats,
  redisStream,
  mqtt,
  slack,
  email,
  sms,
  pagerduty,
]

const driverByType: ReadonlyMap<string, Driver> = new Map(drivers.map((driver) => [driver.type, driver]))

export const findDriver = (type: string): Driver | undefined => driverByType.get(type)
