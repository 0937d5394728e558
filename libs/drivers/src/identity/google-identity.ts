/** The operator's identity at Google Cloud. */
export interface GoogleIdentitySettings {
  /** `metadata`: that of the machine or pod, from Google's metadata server; else the path of a credentials file. */
  readonly source: string
}

/** This service at Google Cloud. */
export class GoogleIdentity {
  constructor(readonly settings: GoogleIdentitySettings) {}
}
