import { AwsIdentity, type AwsIdentitySettings } from './aws-identity.js'
import { GoogleIdentity, type GoogleIdentitySettings } from './google-identity.js'

/** Where this service has an identity of its own; null = the operator has not switched it on. */
export interface IdentitySettings {
  readonly aws: AwsIdentitySettings | null
  readonly google: GoogleIdentitySettings | null
}

/**
 * As whom destinations act that name no keys. It is the operator's, so a target must say for which tenant it may be
 * used, else one tenant could name the target of another: see `tenantUid` of the sender's tools, which is the external
 * id of a role at AWS and the label of a topic at Google. Safe for concurrent use; asks nobody before it is needed.
 */
export class OperatorIdentity {
  readonly aws: AwsIdentity | null
  readonly google: GoogleIdentity | null

  /** `onFailure`: told, for the operator, why an identity could not be proved; at most every five seconds. */
  constructor({ aws, google }: IdentitySettings, onFailure: OnIdentityFailure = () => undefined) {
    this.aws = aws && new AwsIdentity(aws, (reason) => onFailure('aws', reason))
    this.google = google && new GoogleIdentity(google, (reason) => onFailure('google', reason))
  }
}

export type OnIdentityFailure = (provider: NeededIdentity['provider'], reason: string) => void

/** What a destination needs to act as this service. */
export interface NeededIdentity {
  readonly provider: 'aws' | 'google'
  /** The setting that asks for it: `config.role_arn`. */
  readonly path: string
}
