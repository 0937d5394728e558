import type { Problem } from '@barnabas/domain'
import type { NeededIdentity } from '../identity/operator-identity.js'

/** As whom a destination acts, as its settings say it: with keys, or with a role. */
export interface AwsAccess {
  readonly config: { readonly role_arn?: string }
  readonly credentials: AwsKeys
}

export interface AwsKeys {
  readonly key?: string
  readonly secret?: string
  readonly session?: string
}

const KEYS = ['key', 'secret', 'session'] as const
const REQUIRED_KEYS = ['key', 'secret'] as const

/** Keys or a role, and not both: it would be hidden which of them is used. */
export function awsCheck({ config, credentials }: AwsAccess): readonly Problem[] {
  if (config.role_arn === undefined)
    return REQUIRED_KEYS.filter((name) => credentials[name] === undefined).map((name) => ({
      path: `credentials.${name}`,
      message: 'is required without config.role_arn',
    }))
  return KEYS.filter((name) => credentials[name] !== undefined).map((name) => ({
    path: `credentials.${name}`,
    message: 'must be empty when config.role_arn is given; "" clears it',
  }))
}

/** A role is assumed by this service's own identity. */
export const awsIdentity = ({ config }: AwsAccess): NeededIdentity | null =>
  config.role_arn === undefined ? null : { provider: 'aws', path: 'config.role_arn' }
