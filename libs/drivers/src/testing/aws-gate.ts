import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { queryFault, type Fault } from '@barnabas/tools'

/** A request that reached the gate. */
export interface GateRequest {
  /** Of STS; null = a request to a service. */
  readonly action: string | null
  /** It is signed with this access key; empty = it is not signed. */
  readonly accessKey: string
  readonly region: string
  /** The external id of AssumeRole; the session's name. */
  readonly externalId: string | null
  readonly sessionName: string | null
  /** Of the answer; 0 = none yet. */
  status: number
}

/** Whom a role trusts, besides the operator's role: the external ids that it takes. */
export type Trust = (externalId: string | null) => boolean

interface Session {
  readonly token: string
  /** The role whose session it is. */
  readonly roleArn: string
  readonly expiresAtMs: number
}

const FORBIDDEN: Fault = { status: 403, body: '' }
/** Of STS; the least that it gives is 15 minutes, which no test waits for. */
const LIFE_MS = 3_600_000

/**
 * In front of moto, which takes every key: STS by the rules of IAM, and services only for sessions of roles that STS
 * handed out and that have not expired. What is let through, moto answers.
 */
export class AwsGate {
  readonly seen: GateRequest[] = []
  /** The web identity token that is good at the moment. */
  webToken = 'token-1'
  lifeMs = LIFE_MS
  /** In place of what STS would answer; `hold` = nothing. */
  stsFault: Fault | 'hold' | null = null

  private readonly trusts = new Map<string, Trust>()
  private readonly sessions = new Map<string, Session>()
  private readonly held = new Set<ServerResponse>()

  private constructor(
    private readonly server: Server,
    private readonly motoPort: number,
    private readonly operatorRole: string,
  ) {}

  static async start(motoPort: number, operatorRole: string): Promise<AwsGate> {
    const server = createServer()
    const gate = new AwsGate(server, motoPort, operatorRole)
    server.on('request', (incoming, outgoing) => void gate.serve(incoming, outgoing))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return gate
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** A role that trusts the operator's under these external ids. */
  trust(roleArn: string, trust: Trust): void {
    this.trusts.set(roleArn, trust)
  }

  /** STS is as at the beginning; what was held is cut off. */
  reset(): void {
    Object.assign(this, { lifeMs: LIFE_MS, stsFault: null, webToken: 'token-1' })
    for (const response of this.held) response.destroy()
    this.held.clear()
    this.seen.length = 0
  }

  /** Sessions of roles are no longer good, as when a role is made anew. */
  revoke(): void {
    for (const [key, { roleArn }] of this.sessions)
      if (roleArn !== this.operatorRole) this.sessions.delete(key)
  }

  askedFor(action: string): GateRequest[] {
    return this.seen.filter((one) => one.action === action)
  }

  /** Requests to services. */
  get served(): GateRequest[] {
    return this.seen.filter(({ action }) => action === null)
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      this.server.closeAllConnections()
    })
  }

  private async serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await bodyOf(incoming)
    const [, accessKey = '', region = ''] =
      /Credential=([^/]+)\/\d+\/([^/]+)/.exec(incoming.headers.authorization ?? '') ?? []
    const form = new URLSearchParams(body.toString())
    const action = form.get('Action')?.startsWith('AssumeRole') ? form.get('Action') : null
    const [externalId, sessionName] = [form.get('ExternalId'), form.get('RoleSessionName')]
    const seen: GateRequest = { action, accessKey, region, externalId, sessionName, status: 0 }
    this.seen.push(seen)
    outgoing.once('finish', () => (seen.status = outgoing.statusCode))
    const fault = action === null ? this.faultOfService(seen, incoming) : this.faultOfSts(seen, form)
    if (fault === 'hold') this.held.add(outgoing)
    else if (fault) outgoing.writeHead(fault.status, fault.headers).end(fault.body)
    else await this.passOn(incoming, body, { outgoing, roleArn: action && form.get('RoleArn') })
  }

  private faultOfService({ accessKey }: GateRequest, { headers }: IncomingMessage): Fault | null {
    const session = this.sessions.get(accessKey)
    if (!session || session.roleArn === this.operatorRole || isExpired(session)) return FORBIDDEN
    return headers['x-amz-security-token'] === session.token ? null : FORBIDDEN
  }

  private faultOfSts({ action, accessKey, externalId }: GateRequest, form: URLSearchParams) {
    if (this.stsFault) return this.stsFault
    const roleArn = form.get('RoleArn') ?? ''
    if (action === 'AssumeRoleWithWebIdentity') {
      if (roleArn !== this.operatorRole) return queryFault(403, 'AccessDenied')
      return form.get('WebIdentityToken') === this.webToken ? null : queryFault(400, 'InvalidIdentityToken')
    }
    const source = this.sessions.get(accessKey)
    if (source?.roleArn !== this.operatorRole) return queryFault(403, 'InvalidClientTokenId')
    if (isExpired(source)) return queryFault(403, 'ExpiredToken')
    return this.trusts.get(roleArn)?.(externalId) ? null : queryFault(403, 'AccessDenied')
  }

  private async passOn(
    { method, url: path, headers }: IncomingMessage,
    body: Buffer,
    { outgoing, roleArn }: { readonly outgoing: ServerResponse; readonly roleArn: string | null },
  ): Promise<void> {
    const options = { host: '127.0.0.1', port: this.motoPort, method, path, headers, agent: false }
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(options, resolve).once('error', reject).end(body)
    })
    const said = await bodyOf(answer)
    const { connection: _connection, 'content-length': _length, ...kept } = answer.headers
    outgoing.writeHead(answer.statusCode ?? 0, kept)
    outgoing.end(roleArn === null ? said : this.remember(said.toString(), roleArn))
  }

  /** moto's answer, with the life that the test wants. */
  private remember(xml: string, roleArn: string): string {
    const expiresAtMs = Date.now() + this.lifeMs
    const of = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? ''
    this.sessions.set(of('AccessKeyId'), { token: of('SessionToken'), roleArn, expiresAtMs })
    return xml.replace(/(<Expiration>)[^<]*/, `$1${new Date(expiresAtMs).toISOString()}`)
  }
}

const isExpired = ({ expiresAtMs }: Session): boolean => Date.now() >= expiresAtMs

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
