import { readFileSync } from 'node:fs'
import { awsCheck, awsIdentity } from '../aws/aws-access.js'
import { awsCredentialFields, endpointField, regionField, roleField } from '../aws/aws-fields.js'
import { addressesOf } from '../aws/endpoint.js'
import { defineDriver } from '../driver.js'
import { select, template, text } from '../fields.js'
import { DETAIL_FORMATS } from './aws-eventbridge.entry.js'
import { openEventBridge } from './aws-eventbridge.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/aws-eventbridge/${name}`, import.meta.url), 'utf8')

/** Of the API: 256 characters for the source, 1,600 for name or ARN of a bus. */
const MAX_SOURCE_CHARACTERS = 256
const MAX_BUS_CHARACTERS = 1_600

/** An event bus of Amazon EventBridge. */
export const awsEventbridge = defineDriver({
  type: 'aws_eventbridge',
  label: 'AWS EventBridge',
  description: 'Puts each event on an Amazon EventBridge event bus, whose rules pass it on.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    region: regionField,
    event_bus_name: text({
      label: 'Event bus',
      description: 'Name or ARN of the event bus.',
      default: 'default',
      maxlength: MAX_BUS_CHARACTERS,
      pattern: /(arn:aws[\-\w]*:events:[a-z]{2,4}(-[a-z]+)+-\d+:\d{12}:event-bus\/)?[\x2f.\-_A-Za-z0-9]+/,
      expected: 'must be the name or ARN of an event bus',
    }),
    source: text({
      label: 'Source',
      description: 'The source of the events, which rules can match.',
      default: 'barnabas',
      maxlength: MAX_SOURCE_CHARACTERS,
      check: (value) => (value.startsWith('aws.') ? 'must not begin with aws.' : null),
    }),
    detail_type_template: template({
      label: 'Detail type template',
      description:
        'JMESPath expression for the detail type, which rules can match. The topic unless changed.',
      default: 'metadata.topic',
    }),
    detail_format: select(DETAIL_FORMATS, {
      label: 'Detail',
      description: 'What the detail of the event holds.',
      default: 'envelope',
      labels: { envelope: 'Metadata and data', payload: 'Data only' },
    }),
    endpoint: endpointField,
    role_arn: roleField,
  },
  credentials: awsCredentialFields,
  check: awsCheck,
  identity: awsIdentity,
  target: ({ event_bus_name, region }) => ({ target: `${event_bus_name} in ${region}`, targetUrl: null }),
  addresses: ({ config }) => addressesOf('config.endpoint', config.endpoint),
  open: openEventBridge,
})
