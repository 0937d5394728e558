import { readFileSync } from 'node:fs'
import { addressesOf } from '../aws/endpoint.js'
import { awsCheck, awsIdentity } from '../aws/aws-access.js'
import { awsCredentialFields, endpointField, optionalRegionField, roleField } from '../aws/aws-fields.js'
import { defineDriver } from '../driver.js'
import { template, url } from '../fields.js'
import { consoleUrl } from './aws-sqs.queue.js'
import { openSqs } from './aws-sqs.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/aws-sqs/${name}`, import.meta.url), 'utf8')

/** A queue of Amazon SQS, standard or FIFO. */
export const awsSqs = defineDriver({
  type: 'aws_sqs',
  label: 'AWS SQS',
  description: 'Sends each event as a message to an Amazon SQS queue.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    queue_url: url({
      label: 'Queue URL',
      description: 'For example https://sqs.us-east-1.amazonaws.com/123456789012/my-queue.',
    }),
    endpoint: endpointField,
    role_arn: roleField,
    region: optionalRegionField,
    message_group_id_template: template({
      label: 'Message group template',
      description:
        'JMESPath expression for the message group, for example data.customer_id. A FIFO queue gets the topic unless it is given.',
    }),
  },
  credentials: awsCredentialFields,
  check: awsCheck,
  identity: awsIdentity,
  target: ({ queue_url }) => ({ target: queue_url, targetUrl: consoleUrl(queue_url) }),
  addresses: ({ config: { queue_url, endpoint } }) =>
    endpoint === undefined
      ? addressesOf('config.queue_url', queue_url)
      : addressesOf('config.endpoint', endpoint),
  open: openSqs,
})
