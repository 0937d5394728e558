import { readFileSync } from 'node:fs'
import { awsCheck, awsIdentity } from '../aws/aws-access.js'
import { awsCredentialFields, endpointField, regionField, roleField } from '../aws/aws-fields.js'
import { addressesOf } from '../aws/endpoint.js'
import { defineDriver } from '../driver.js'
import { select, template, text } from '../fields.js'
import { S3Sender } from './aws-s3.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/aws-s3/${name}`, import.meta.url), 'utf8')

/** Those that an object of a general purpose bucket can be written with. */
const STORAGE_CLASSES = [
  'STANDARD', 'INTELLIGENT_TIERING', 'STANDARD_IA', 'ONEZONE_IA', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE',
  'REDUCED_REDUNDANCY',
] as const // prettier-ignore

/** A bucket of Amazon S3, or of a compatible service. */
export const awsS3 = defineDriver({
  type: 'aws_s3',
  label: 'AWS S3',
  description: 'Writes each event as an object into an Amazon S3 bucket.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    bucket: text({
      label: 'Bucket',
      description: 'Name of the bucket.',
      // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
      pattern: /[a-z0-9][a-z0-9\-.]{1,61}[a-z0-9]/,
      expected: 'must be the name of a bucket: 3 to 63 small letters, digits, dots and dashes',
    }),
    region: regionField,
    key_template: template({
      label: 'Key template',
      description: 'JMESPath expression for the key of the object.',
      default: `join('', [time.rfc3339_nano, '_', metadata."event-id", '.json'])`,
    }),
    storage_class: select(STORAGE_CLASSES, {
      label: 'Storage class',
      description: 'The storage class of the objects.',
      default: 'STANDARD',
    }),
    endpoint: endpointField,
    role_arn: roleField,
  },
  credentials: awsCredentialFields,
  check: awsCheck,
  identity: awsIdentity,
  target: ({ bucket, region, endpoint }) => ({
    target: `${bucket} in ${region}`,
    targetUrl:
      endpoint === undefined
        ? `https://s3.console.aws.amazon.com/s3/buckets/${bucket}?region=${region}`
        : null,
  }),
  addresses: ({ config }) => addressesOf('config.endpoint', config.endpoint),
  open: (settings, tools) => new S3Sender(settings, tools),
})
