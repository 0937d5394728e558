import { readFileSync } from 'node:fs'
import { awsCheck, awsIdentity } from '../aws/aws-access.js'
import { awsCredentialFields, endpointField, regionField, roleField } from '../aws/aws-fields.js'
import { addressesOf } from '../aws/endpoint.js'
import { defineDriver } from '../driver.js'
import { checkbox, template, text } from '../fields.js'
import { openKinesis } from './aws-kinesis.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/aws-kinesis/${name}`, import.meta.url), 'utf8')

/** A stream of Amazon Kinesis Data Streams. */
export const awsKinesis = defineDriver({
  type: 'aws_kinesis',
  label: 'AWS Kinesis',
  description: 'Puts each event as a record into an Amazon Kinesis data stream.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    stream_name: text({
      label: 'Stream name',
      description: 'Name of the data stream.',
      pattern: /[a-zA-Z0-9\-_.]{1,128}/,
      expected: 'must be 1 to 128 letters, digits, dots, dashes or underscores',
    }),
    region: regionField,
    endpoint: endpointField,
    role_arn: roleField,
    partition_key_template: template({
      label: 'Partition key template',
      description:
        'JMESPath expression for the partition key, for example data.customer_id. The event id unless changed.',
      default: 'metadata."event-id"',
    }),
    metadata_in_payload: checkbox({
      label: 'Metadata in the record',
      description: 'Records hold metadata and data. Without it they hold the data alone.',
      default: true,
    }),
  },
  credentials: awsCredentialFields,
  check: awsCheck,
  identity: awsIdentity,
  target: ({ stream_name, region }) => ({ target: `${stream_name} in ${region}`, targetUrl: null }),
  addresses: ({ config }) => addressesOf('config.endpoint', config.endpoint),
  open: openKinesis,
})
