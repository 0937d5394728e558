import { readFile } from 'node:fs/promises'
import { monotonicClock, SECOND, toError, type Clock } from '@barnabas/domain'
import type { AuthClient } from 'google-auth-library'
import { lazy } from '../lazy.js'
import type { OnFailure } from './on-failure.js'

const library = lazy(() => import('google-auth-library'))

/** The operator's identity at Google Cloud. */
export interface GoogleIdentitySettings {
  /** `metadata`: that of the machine or pod, from Google's metadata server; else the path of a credentials file. */
  readonly source: string
}

/** What of a file is looked at here; the rest is for the library. */
type CredentialsFile =
  | {
      readonly type: 'service_account'
      readonly client_email: string
      readonly private_key: string
      readonly private_key_id?: string
    }
  | { readonly type: 'external_account'; readonly credential_source: { readonly environment_id?: string } }

/** No more than publishing and looking at topics. https://developers.google.com/identity/protocols/oauth2/scopes#pubsub */
const SCOPES = ['https://www.googleapis.com/auth/pubsub']
/** Of a request for a token: the metadata server answers in milliseconds, a token exchange in less than a second. */
const TOKEN_TIMEOUT_MS = 10 * SECOND
/** Of an answer, decompressed; a token has some 2 kB. */
const MAX_RESPONSE_BYTES = 64 * 1024
/** Without them the library reads as much as comes, for as long as it comes. `size` is what counts. */
const limits = (timeout: number) => ({
  maxContentLength: MAX_RESPONSE_BYTES,
  size: MAX_RESPONSE_BYTES,
  timeout,
})
/** After a failure nobody is asked for so long: deliveries by the thousand wait for the same token. */
const PAUSE_MS = 5 * SECOND

/**
 * This service at Google Cloud: workload identity of GKE, a machine's service account, or workload identity
 * federation (https://cloud.google.com/iam/docs/workload-identity-federation). The file is the operator's, so it may
 * name URLs and files; one of a tenant may not.
 */
export class GoogleIdentity {
  private failedAtMs = -Infinity
  private readonly open: () => Promise<AuthClient>

  constructor(
    settings: GoogleIdentitySettings,
    private readonly onFailure: OnFailure = () => undefined,
    private readonly clock: Clock = monotonicClock,
    private readonly limitMs = TOKEN_TIMEOUT_MS,
  ) {
    this.open = lazy(() => clientOf(settings, limits(limitMs)))
  }

  /** What clients of Google's libraries take; its tokens are shared by all of them. Rejects when the file is none. */
  client(): Promise<AuthClient> {
    return this.open()
  }

  /** Whether there is a token now; one that is valid is not asked for again. Never rejects; takes 10 s at most. */
  async hasToken(): Promise<boolean> {
    if (this.clock.nowMs() - this.failedAtMs < PAUSE_MS) return false
    try {
      const client = await this.open()
      await withinTime(client.getRequestHeaders(), this.limitMs)
      return true
    } catch (error) {
      this.failedAtMs = this.clock.nowMs()
      this.onFailure(toError(error).message)
      return false
    }
  }
}

/**
 * The client that a credentials file stands for: made by its class, as the library's own reader of such files warns
 * about files of strangers in a line of the log.
 */
async function clientOf(
  { source }: GoogleIdentitySettings,
  transporterOptions: ReturnType<typeof limits>,
): Promise<AuthClient> {
  const { AwsClient, Compute, gaxios, IdentityPoolClient, JWT } = await library()
  // The metadata server is asked by the instance that all share, and its client takes no other.
  Object.assign(gaxios.instance.defaults, transporterOptions)
  if (source === 'metadata') return new Compute({ scopes: SCOPES })
  const file = JSON.parse(await readFile(source, 'utf8')) as CredentialsFile
  if (file.type === 'service_account') {
    const { client_email: email, private_key: key, private_key_id: keyId } = file
    return new JWT({
      email,
      key,
      ...(keyId === undefined ? {} : { keyId }),
      scopes: SCOPES,
      transporterOptions,
    })
  }
  if (file.type !== 'external_account')
    throw new Error(
      `${source} has the type ${String((file as { type?: unknown }).type)}, which is not supported`,
    )
  const { environment_id: cloud } = file.credential_source
  const client = cloud === undefined ? IdentityPoolClient : AwsClient
  const made = new client({ ...file, transporterOptions } as never)
  made.scopes = SCOPES
  return made
}

async function withinTime(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  work.catch(() => undefined)
  try {
    await Promise.race([
      work,
      new Promise((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error('no token in time')), limitMs)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}
