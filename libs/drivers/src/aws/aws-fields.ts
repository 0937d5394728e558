import { secret, text, url } from '../fields.js'

/** As in the AWS APIs; wider than the contract's pattern, which leaves out the government and sovereign regions. */
const REGION_PATTERN = /[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}/
const REGION_WORDS = {
  label: 'Region',
  pattern: REGION_PATTERN,
  expected: 'must be a region such as us-east-1',
  maxlength: 32,
}

export const regionField = text({ ...REGION_WORDS, description: 'The AWS region, for example us-east-1.' })

export const optionalRegionField = text({
  ...REGION_WORDS,
  required: false,
  description: 'The AWS region. Only needed when it cannot be read from the address or ARN above.',
})

export const endpointField = url({
  label: 'Endpoint',
  description:
    'Optional. URL of a VPC endpoint or of a compatible service, in place of the public address of AWS.',
  required: false,
})

/** Long-lived keys have 20 characters, those of compatible services other lengths; all of it goes into a header. */
const KEY_PATTERN = /[A-Za-z0-9\-_.@]{1,128}/
const SECRET_PATTERN = /[\x21-\x7e]{1,256}/
/** AWS gives no upper limit for session tokens; real ones have some 1,000 characters. */
const MAX_SESSION_CHARACTERS = 8_192

export const roleField = text({
  label: 'Role ARN',
  description:
    'Optional. ARN of an IAM role that this service assumes, in place of access keys. The instructions say whom the role must trust.',
  required: false,
  pattern: /arn:aws[\-a-z]*:iam::\d{12}:role\/[\w\-+=,.@\x2f]{1,512}/,
  expected: 'must be the ARN of a role such as arn:aws:iam::123456789012:role/events-sender',
})

/** Given unless the destination names a role. Nothing of the environment of this process is used besides. */
export const awsCredentialFields = {
  key: secret({
    label: 'Access key ID',
    description: 'AWS access key ID. Needed unless a role is named.',
    required: false,
    pattern: KEY_PATTERN,
    expected: 'must be an access key ID such as AKIAIOSFODNN7EXAMPLE',
  }),
  secret: secret({
    label: 'Secret access key',
    description: 'AWS secret access key. Needed unless a role is named.',
    required: false,
    pattern: SECRET_PATTERN,
    expected: 'must be printable ASCII characters without spaces',
  }),
  session: secret({
    label: 'Session token',
    description: 'Optional. Session token of temporary credentials.',
    required: false,
    maxlength: MAX_SESSION_CHARACTERS,
    pattern: /[\x21-\x7e]+/,
    expected: 'must be printable ASCII characters without spaces',
  }),
}
