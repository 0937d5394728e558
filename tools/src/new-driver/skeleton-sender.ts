import type { Names } from './names.js'

/** A sender that connects and does not speak its protocol yet. */
export const senderText = (names: Names): string => beginning(names) + end(names)

const beginning = ({ folder, className }: Names): string => `
import type { Socket } from 'node:net'
import type { Outcome } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import type { Address, Network } from '../network/network.js'
import { failedWith, unlessAborted } from '../outcomes.js'
import { messageMetadata } from '../system-metadata.js'
import { outcomeOf${className}Error } from './${folder}.outcome.js'

/** What one event becomes. */
interface Message {
  readonly metadata: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly token: string
}

/** Sends events over one connection, which is made at the first event and after each loss. */
export class ${className}Sender implements Sender {
  private readonly underWay = new Set<Promise<unknown>>()
  private socket: Promise<Socket> | null = null

  constructor(
    private readonly address: Address,
    private readonly token: string,
    private readonly network: Network,
  ) {}

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const message = { metadata: messageMetadata(event, attempt), body: event.payload, token: this.token }
    const work = this.deliver(message)
    this.underWay.add(work)
    try {
      return await unlessAborted(work, signal)
    } finally {
      this.underWay.delete(work)
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.underWay)
    const socket = await this.socket?.catch(() => null)
    socket?.destroy()
  }
`

const end = ({ className }: Names): string => `
  private async deliver(message: Message): Promise<Outcome> {
    try {
      return this.publish(await this.connect(), message)
    } catch (error) {
      return outcomeOf${className}Error(error)
    }
  }

  /** The protocol goes here: delivered is what the target took responsibility for, and nothing else. */
  private publish(_socket: Socket, _message: Message): Outcome {
    return failedWith('protocol_error', 'This driver does not speak its protocol yet.')
  }

  private connect(): Promise<Socket> {
    this.socket ??= this.dial()
    return this.socket
  }

  private async dial(): Promise<Socket> {
    try {
      const socket = await this.network.dial(this.address)
      socket.on('error', () => undefined)
      socket.once('close', () => (this.socket = null))
      return socket
    } catch (error) {
      this.socket = null
      throw error
    }
  }
}
`
