import type { ConnectionOptions } from 'node:tls'
import type { SMTPPoolOptions, SMTPPoolSentMessageInfo, Transporter } from 'nodemailer'
import { lazy } from '../lazy.js'
import type { Address, Network } from '../network/network.js'

/** Mail servers allow a few connections of one client at a time, some of them ten; each carries one mail after another. */
const MAX_CONNECTIONS = 5
const CONNECT_TIMEOUT_MS = 10_000
/** The server's greeting, and the start of TLS. */
const GREETING_TIMEOUT_MS = 10_000
/** A server that says nothing for so long, while it has a mail, has failed; RFC 5321 §4.5.3.2 allows more for the last step. */
const SILENCE_TIMEOUT_MS = 120_000
/** Longer than the pause between two events of a busy topic, shorter than servers wait (RFC 5321 §4.5.3.2.7: 5 minutes). */
const IDLE_TIMEOUT_MS = 60_000
/** Of one reply. */
const MAX_REPLY_BYTES = 64 * 1024

export const TLS_MODES = ['starttls', 'implicit', 'none'] as const
export type TlsMode = (typeof TLS_MODES)[number]

export interface ServerSettings {
  readonly address: Address
  readonly mode: TlsMode
  /** Authority of the server's certificate, PEM; the public ones unless given. */
  readonly authority?: string
  readonly login?: { readonly user: string; readonly pass: string }
  /** How we introduce ourselves (EHLO). */
  readonly name: string
}

/** nodemailer weighs 1 MB and is needed by this type only. */
const library = lazy(() => import('nodemailer'))

export type MailTransport = Transporter<SMTPPoolSentMessageInfo>

/** A pool of connections to one mail server, dialled through the network. Opens none before the first mail. */
export async function openTransport(server: ServerSettings, network: Network): Promise<MailTransport> {
  const { createTransport } = await library()
  return createTransport(optionsFor(server, network))
}

function optionsFor(server: ServerSettings, network: Network): SMTPPoolOptions & { pool: true } {
  const { address, mode, authority, login, name } = server
  const isImplicit = mode === 'implicit'
  const tls: ConnectionOptions = {
    minVersion: 'TLSv1.2',
    ...(authority === undefined ? {} : { ca: authority }),
  }
  return {
    pool: true,
    ...address,
    name,
    secure: isImplicit,
    requireTLS: mode === 'starttls',
    ignoreTLS: mode === 'none',
    tls,
    ...(login === undefined ? {} : { auth: login }),
    maxConnections: MAX_CONNECTIONS,
    // Only for connections that the server closed before it saw anything of the mail.
    maxRequeues: 1,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: GREETING_TIMEOUT_MS,
    socketTimeout: SILENCE_TIMEOUT_MS,
    idleTimeout: IDLE_TIMEOUT_MS,
    maxResponseSize: MAX_REPLY_BYTES,
    disableFileAccess: true,
    disableUrlAccess: true,
    getSocket: (_options, callback) => {
      network.dial({ ...address, ...(isImplicit ? { tls } : {}), timeoutMs: CONNECT_TIMEOUT_MS }).then(
        // A mail is several small writes: else each would wait for the server's acknowledgement of the one before.
        (connection) => callback(null, { connection: connection.setNoDelay(true), secured: isImplicit }),
        (error: Error) => callback(error),
      )
    },
  }
}
