import type { Outcome } from '@barnabas/domain'
import { ConnectionSlot } from '../connection-slot.js'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { failedWith, unlessAborted } from '../outcomes.js'
import { SendsInFlight } from '../sends-in-flight.js'
import type { Template } from '../template.js'
import { connectMqtt, type MqttConnection, type MqttOptions } from './mqtt.connection.js'
import { checkTopic, messageOf, type MessageOptions } from './mqtt.message.js'
import { outcomeOfMqttError } from './mqtt.outcome.js'

export interface MqttSenderOptions extends MessageOptions {
  readonly connection: MqttOptions
  readonly topic: Template
}

/** Publishes with QoS 1 in one session: an event is delivered when the broker has acknowledged it. */
export class MqttSender implements Sender {
  private readonly sends = new SendsInFlight()
  private readonly slot = new ConnectionSlot<MqttConnection>(
    (lost) => connectMqtt(this.options.connection, lost),
    (connection) => connection.end(),
  )

  constructor(private readonly options: MqttSenderOptions) {}

  send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    return this.sends.track(unlessAborted(this.publish(event, attempt, signal), signal))
  }

  async close(): Promise<void> {
    await this.sends.settled()
    await this.slot.close()
  }

  private async publish(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const given = this.options.topic.evaluate(event, attempt)
    const topic = given.ok ? checkTopic(given.value) : given
    if (!topic.ok) return failedWith('template_failed', `The topic template ${topic.failure}.`)
    const message = messageOf(topic.value, event, attempt, this.options)
    if (message === null)
      return failedWith('event_refused', 'MQTT takes metadata of at most 65,535 bytes each.')
    try {
      const connection = await this.slot.get()
      return await connection.publish(message, signal)
    } catch (error) {
      return outcomeOfMqttError(error)
    }
  }
}
