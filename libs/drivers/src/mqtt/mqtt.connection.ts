import type { ConnectionOptions } from 'node:tls'
import type { IConnackPacket, MqttClient } from 'mqtt'
import type { Outcome } from '@barnabas/domain'
import { lazy } from '../lazy.js'
import type { Address, Network } from '../network/network.js'
import { DELIVERED, failedWith } from '../outcomes.js'
import { SendLane } from '../send-lane.js'
import type { Message } from './mqtt.message.js'
import { outcomeOfMqttError } from './mqtt.outcome.js'

const library = lazy(() => import('mqtt'))

const CONNECT_TIMEOUT_MS = 10_000
/** A broker that is silent for half as long again has gone, so this also bounds an event whose broker went deaf. */
const KEEP_ALIVE_SECONDS = 10
/** Packets without answer, when the broker names no limit or a higher one; chosen, not measured. */
const MAX_UNANSWERED = 1_000

export interface MqttOptions {
  readonly address: Address
  readonly network: Network
  readonly tls: ConnectionOptions | null
  readonly clientId: string
  readonly username: string | undefined
  readonly password: string | undefined
}

export interface MqttConnection {
  /** Never rejects. */
  publish(message: Message, signal: AbortSignal): Promise<Outcome>
  end(): Promise<void>
}

/**
 * A session with a broker, dialled by the network. It does not connect anew by itself and keeps nothing for later;
 * `lost` is called when it has ended. Rejects with the reason code of the broker, or with the error of the system.
 */
export async function connectMqtt(options: MqttOptions, lost: () => void): Promise<MqttConnection> {
  const { MqttClient } = await library()
  const { address, network, tls, clientId, username, password } = options
  const dialled = { ...address, timeoutMs: CONNECT_TIMEOUT_MS, ...(tls === null ? {} : { tls }) }
  const socket = await network.dial(dialled)
  const client = new MqttClient(() => socket.setNoDelay(true), {
    protocolId: 'MQTT',
    protocolVersion: 5,
    clean: true,
    clientId,
    keepalive: KEEP_ALIVE_SECONDS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  })
  // What is wrong with the session ends it as well.
  client.on('error', () => undefined)
  client.once('close', () => {
    lost()
    // Else the client would keep what was not answered, for a session that never comes.
    client.end(true)
  })
  return sessionOf(client, await greeting(client))
}

function greeting(client: MqttClient): Promise<IConnackPacket> {
  return new Promise((resolve, reject) => {
    client.once('connect', resolve)
    client.once('error', reject)
    client.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
  })
}

/** The client does not keep to the limits that the broker names in its greeting; brokers end sessions for that. */
function sessionOf(client: MqttClient, { properties = {} }: IConnackPacket): MqttConnection {
  const {
    receiveMaximum = MAX_UNANSWERED,
    maximumPacketSize = Infinity,
    maximumQoS,
    retainAvailable,
  } = properties
  const lane = new SendLane<Message>({
    maxParallel: Math.min(receiveMaximum, MAX_UNANSWERED),
    maxMessages: 1,
    maxBytes: 0,
    send: async ([message]) => (message ? [await publish(client, message)] : []),
  })
  return {
    publish: (message, signal) => {
      const { bytes, options } = message
      if (maximumQoS === 0)
        return refused('invalid_settings', 'The broker takes no messages with acknowledgement (QoS 1).')
      if (options.retain && retainAvailable === false)
        return refused('invalid_settings', 'The broker takes no retained messages.')
      if (bytes > maximumPacketSize)
        return refused(
          'payload_too_large',
          `The broker takes at most ${maximumPacketSize} bytes with all properties.`,
        )
      return lane.add({ message, bytes, signal })
    },
    end: () => client.endAsync().catch(() => undefined),
  }
}

const refused = (...why: Parameters<typeof failedWith>): Promise<Outcome> =>
  Promise.resolve(failedWith(...why))

/** An answer of the broker that is none of an error means that it took responsibility, also without subscribers. */
function publish(client: MqttClient, { topic, payload, options }: Message): Promise<Outcome> {
  // The client would keep the message for a later session.
  if (!client.connected) return refused('connection_reset')
  return new Promise((resolve) => {
    client.publish(topic, payload, options, (error) => resolve(error ? outcomeOfMqttError(error) : DELIVERED))
  })
}
