import type { AddressInfo } from 'node:net'
import { generate } from 'selfsigned'
import { SMTPServer, type SMTPServerDataStream, type SMTPServerOptions } from 'smtp-server'

/** A mail as it came. */
export interface Arrival {
  readonly from: string
  readonly to: readonly string[]
  readonly isSecure: boolean
  readonly user: string
  readonly raw: string
}

/** Where the server may refuse, and with which reply. */
export type Step = 'connect' | 'auth' | 'from' | 'rcpt' | 'data'
/** Asked at each step, with the address or user name that it is about; null takes it. */
export type Refuse = (step: Step, about: string) => number | null

export interface MailServerOptions {
  readonly tls: 'starttls' | 'implicit' | 'none'
  /** What the certificate is for. */
  readonly host?: string
}

/** No session is worth waiting for when a test ends. */
const CLOSE_TIMEOUT_MS = 50
const USER = { name: 'events', password: 'a-password' }

/** A certificate that signs itself, as authority and as server. */
export async function selfSigned(host: string): Promise<{ readonly key: string; readonly cert: string }> {
  const isAddress = /^[\d.]+$/.test(host)
  const altNames = [isAddress ? { type: 7 as const, ip: host } : { type: 2 as const, value: host }]
  const { private: key, cert } = await generate([{ name: 'commonName', value: host }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames }],
  })
  return { key, cert }
}

/** A mail server on loopback with its users, whose refusals and slowness the test decides. */
export class MailServer {
  static readonly user = USER
  /** Name → password. */
  readonly users = new Map([[USER.name, USER.password]])
  readonly arrivals: Arrival[] = []
  /** Connections since the start. */
  connections = 0
  private server: SMTPServer | null = null
  private pair: { readonly key: string; readonly cert: string } | null = null
  private isSlow = false
  private refuse: Refuse = () => null

  constructor(private readonly options: MailServerOptions) {}

  get address(): string {
    if (!this.server) throw new Error('not started')
    return `127.0.0.1:${(this.server.server.address() as AddressInfo).port}`
  }

  /** PEM of the authority that signed the server's certificate. */
  get authority(): string {
    return this.pair?.cert ?? ''
  }

  async start(port = 0): Promise<void> {
    this.pair ??= await selfSigned(this.options.host ?? '127.0.0.1')
    const server = new SMTPServer(this.serverOptions(this.pair))
    // Clients that hang up, or that do not trust the certificate, are what tests are about.
    server.on('error', () => undefined)
    this.server = server
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  }

  async stop(): Promise<void> {
    const { server } = this
    if (server) await new Promise<void>((resolve) => server.close(resolve))
  }

  async restart(): Promise<void> {
    const port = Number(this.address.split(':')[1])
    await this.stop()
    await this.start(port)
  }

  becomeSlow(): void {
    this.isSlow = true
  }

  becomeQuick(): void {
    this.isSlow = false
  }

  refuseBy(refuse: Refuse): void {
    this.refuse = refuse
  }

  private serverOptions(pair: { readonly key: string; readonly cert: string }): SMTPServerOptions {
    const { tls } = this.options
    return {
      ...pair,
      secure: tls === 'implicit',
      disabledCommands: tls === 'none' ? ['STARTTLS'] : [],
      allowInsecureAuth: tls === 'none',
      authOptional: true,
      closeTimeout: CLOSE_TIMEOUT_MS,
      disableReverseLookup: true,
      onConnect: (_session, callback) => {
        this.connections++
        callback(this.refusal('connect', ''))
      },
      onAuth: ({ username = '', password }, _session, callback) => {
        const isRight = password !== undefined && this.users.get(username) === password
        const refusal = this.refusal('auth', username) ?? (isRight ? null : reply(535))
        callback(refusal, refusal ? undefined : { user: username })
      },
      onMailFrom: ({ address }, _session, callback) => callback(this.refusal('from', address)),
      onRcptTo: ({ address }, _session, callback) => callback(this.refusal('rcpt', address)),
      onData: (stream, { envelope, secure, user }, callback) => {
        const from = envelope.mailFrom ? envelope.mailFrom.address : ''
        const to = envelope.rcptTo.map(({ address }) => address)
        void this.take(stream, { from, to, isSecure: secure, user: String(user ?? '') }, callback)
      },
    }
  }

  private refusal(step: Step, about: string): Error | null {
    const code = this.refuse(step, about)
    return code === null ? null : reply(code)
  }

  private async take(
    stream: SMTPServerDataStream,
    arrival: Omit<Arrival, 'raw'>,
    callback: (error?: Error | null) => void,
  ): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
    if (this.isSlow) return
    const refusal = this.refusal('data', '')
    if (!refusal) this.arrivals.push({ ...arrival, raw: Buffer.concat(chunks).toString('utf8') })
    callback(refusal)
  }
}

const reply = (responseCode: number): Error =>
  Object.assign(new Error('refused by the test'), { responseCode })

/** A mail in its parts: enough of MIME for what is sent here. */
export interface ReadMail {
  /** Names in lower case; as they were sent, folded lines joined. */
  readonly headers: ReadonlyMap<string, string>
  /** Names in the order in which they came. */
  readonly names: readonly string[]
  readonly text: string
  readonly html: string
}

export function readMail(raw: string): ReadMail {
  const { headers, names, body } = split(raw)
  const boundary = /boundary="([^"]+)"/.exec(headers.get('content-type') ?? '')?.[1] ?? ''
  const parts = body.split(`--${boundary}`).map((part) => split(part.replace(/^\r\n/, '')))
  const textOf = (type: string): string => {
    const part = parts.find((one) => one.headers.get('content-type')?.startsWith(type))
    return part ? decode(part.body, part.headers.get('content-transfer-encoding')) : ''
  }
  return { headers, names, text: textOf('text/plain'), html: textOf('text/html') }
}

function split(raw: string): { headers: Map<string, string>; names: string[]; body: string } {
  const end = raw.indexOf('\r\n\r\n')
  const lines = raw
    .slice(0, end)
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const pairs = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { headers: new Map(pairs), names: pairs.map(([name]) => name), body: raw.slice(end + 4) }
}

function decode(body: string, encoding = '7bit'): string {
  const bytes =
    encoding === 'base64'
      ? Buffer.from(body, 'base64')
      : encoding === 'quoted-printable'
        ? unquote(body)
        : Buffer.from(body)
  return bytes.toString('utf8').replaceAll('\r\n', '\n').replace(/\n+$/, '')
}

const unquote = (body: string): Buffer =>
  Buffer.from(
    body
      .replaceAll('=\r\n', '')
      .replaceAll(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  )

/** A header's text without its RFC 2047 encoding. */
export const unencoded = (header: string): string =>
  header
    .replaceAll(/\?= =\?/g, '?==?')
    .replaceAll(/=\?UTF-8\?([BQ])\?([^?]*)\?=/gi, (_all, kind: string, text: string) =>
      (kind.toUpperCase() === 'B'
        ? Buffer.from(text, 'base64')
        : unquote(text.replaceAll('_', ' '))
      ).toString('utf8'),
    )
