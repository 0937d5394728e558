/** The operator's role at AWS. */
export interface AwsIdentitySettings {
  /** `arn:aws:iam::123456789012:role/barnabas`: what the roles of destinations trust. */
  readonly roleArn: string
  /** Path of the file that holds the web identity token (OIDC); read again whenever it is needed, as it is rotated. */
  readonly tokenFile: string
  /** Region whose STS is asked for the credentials of `roleArn`. */
  readonly region: string
}

/** This service at AWS. */
export class AwsIdentity {
  constructor(readonly settings: AwsIdentitySettings) {}
}
