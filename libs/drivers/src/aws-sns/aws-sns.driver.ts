import { readFileSync } from 'node:fs'
import { awsCheck, awsIdentity } from '../aws/aws-access.js'
import { awsCredentialFields, endpointField, roleField } from '../aws/aws-fields.js'
import { addressesOf, regionOfArn } from '../aws/endpoint.js'
import { defineDriver } from '../driver.js'
import { template, text } from '../fields.js'
import { openSns } from './aws-sns.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/aws-sns/${name}`, import.meta.url), 'utf8')

/** A topic of Amazon SNS, standard or FIFO. */
export const awsSns = defineDriver({
  type: 'aws_sns',
  label: 'AWS SNS',
  description: 'Publishes each event as a message to an Amazon SNS topic.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    topic_arn: text({
      label: 'Topic ARN',
      description: 'For example arn:aws:sns:us-east-1:123456789012:events.',
      pattern: /arn:aws[\-a-z]*:sns:[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}:[0-9]{12}:[A-Za-z0-9\-_]{1,256}(\.fifo)?/,
      expected: 'must be the ARN of a topic such as arn:aws:sns:us-east-1:123456789012:events',
    }),
    subject_template: template({
      label: 'Subject template',
      description:
        "JMESPath expression for the subject of e-mails, for example join(' ', ['New event', metadata.topic]).",
    }),
    message_group_id_template: template({
      label: 'Message group template',
      description:
        'JMESPath expression for the message group, for example data.customer_id. A FIFO topic gets the topic of the event unless it is given.',
    }),
    endpoint: endpointField,
    role_arn: roleField,
  },
  credentials: awsCredentialFields,
  check: awsCheck,
  identity: awsIdentity,
  target: ({ topic_arn }) => ({ target: topic_arn, targetUrl: consoleUrl(topic_arn) }),
  addresses: ({ config }) => addressesOf('config.endpoint', config.endpoint),
  open: openSns,
})

/** The topic's page for people; other partitions than the public one have consoles elsewhere. */
function consoleUrl(arn: string): string | null {
  const region = regionOfArn(arn)
  if (!arn.startsWith('arn:aws:') || region === undefined) return null
  return `https://${region}.console.aws.amazon.com/sns/v3/home?region=${region}#/topic/${arn}`
}
