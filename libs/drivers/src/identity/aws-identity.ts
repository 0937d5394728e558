import { failed, toError } from '@barnabas/domain'
import { readFile } from 'node:fs/promises'
import { assumeWithToken } from '../aws/aws-sts.js'
import { SessionCache, type FetchedSession } from '../aws/session-cache.js'
import { outcomeOfIdentityError } from '../aws/sts-outcome.js'
import type { SenderTools } from '../driver.js'
import { failedWith } from '../outcomes.js'
import type { OnFailure } from './on-failure.js'

/** The operator's role at AWS. */
export interface AwsIdentitySettings {
  /** `arn:aws:iam::123456789012:role/barnabas`: what the roles of destinations trust. */
  readonly roleArn: string
  /** Path of the file that holds the web identity token (OIDC); read again whenever it is needed, as it is rotated. */
  readonly tokenFile: string
  /** Region whose STS is asked for the credentials of `roleArn`. */
  readonly region: string
}

/** Of this service in the audit log of the operator's account. */
const SESSION_NAME = 'barnabas'

/**
 * This service at AWS: its role, assumed with a web identity token (AssumeRoleWithWebIdentity), whose credentials do
 * for the roles of destinations. They are kept for the process and renewed before they expire. Safe for concurrent
 * use.
 */
export class AwsIdentity {
  private readonly cache = new SessionCache()

  constructor(
    readonly settings: AwsIdentitySettings,
    private readonly onFailure: OnFailure = () => undefined,
  ) {}

  /**
   * The failure is the outcome of a delivery that needed them: `identity_failed`, or what the connection did; it says
   * nothing of the operator's files. Resolves within some 10 s; a failure is answered again for 5 s.
   */
  credentials(tools: SenderTools): Promise<FetchedSession> {
    return this.cache.get(() => this.fetch(tools))
  }

  private async fetch(tools: SenderTools): Promise<FetchedSession> {
    const { roleArn, tokenFile, region } = this.settings
    const token = await readToken(tokenFile)
    if (token === null) {
      this.onFailure(`${tokenFile} is not there, cannot be read or is empty`)
      return failed(failedWith('identity_failed'))
    }
    const judge = (error: unknown) => {
      const { name, message } = toError(error)
      this.onFailure(`${name}: ${message}`)
      return outcomeOfIdentityError(error, Date.now())
    }
    return assumeWithToken({ roleArn, sessionName: SESSION_NAME, region }, token, { tools, judge })
  }
}

/** Null when there is none: the file is written by others, and may come later. */
async function readToken(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim() || null
  } catch {
    return null
  }
}
