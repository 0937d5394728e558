import { generateKeyPairSync } from 'node:crypto'
import { startPubsub, Worker } from '@barnabas/tools'
import type { BareClient, BenchType } from './bench-type.js'
import { metadataOf } from './events.js'
import type { MailServerCommands } from './targets/mail-server.js'
import type { ServiceBusCommands } from './targets/service-bus.js'

const NAME = 'events'
const PROJECT = 'my-project-123'
const TOPIC = `projects/${PROJECT}/topics/${NAME}`
/** Calls side by side and events in each: what our sender's eight calls carry between them. */
const PUBSUB_BATCH = 8

const serviceAccount = (): string =>
  JSON.stringify({
    type: 'service_account',
    client_email: `publisher@${PROJECT}.iam.gserviceaccount.com`,
    private_key: generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey,
  })

const pubsub: BenchType = {
  type: 'gcp_pubsub',
  bareDoes: `@google-cloud/pubsub: publish of ${PUBSUB_BATCH}`,
  perCall: PUBSUB_BATCH,
  start: async () => {
    const target = await startPubsub()
    await target.createTopic(TOPIC)
    const address = `127.0.0.1:${target.port}`
    const settings = {
      config: { project_id: PROJECT, topic: NAME },
      credentials: { service_account_json: serviceAccount() },
    }
    return {
      info: { settings, endpoints: { gcp_pubsub: `http://${address}` }, address },
      stop: () => target.stop(),
    }
  },
  openBare: async (address): Promise<BareClient> => {
    const { PubSub, v1 } = await import('@google-cloud/pubsub')
    const { JWT } = await import('google-auth-library')
    const config = await new PubSub({
      projectId: PROJECT,
      apiEndpoint: address,
      emulatorMode: true,
      // Else it asks the metadata server of the cloud that it may run in.
      authClient: new JWT(),
    }).getClientConfig()
    const client = new v1.PublisherClient({ ...config })
    return {
      send: (samples) =>
        client.publish({
          topic: TOPIC,
          messages: samples.map((sample) => ({
            data: sample.event.payload,
            attributes: metadataOf(sample),
          })),
        }),
      close: () => client.close(),
    }
  },
}

const KEYS = 'SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0'

const serviceBus: BenchType = {
  type: 'azure_servicebus',
  bareDoes: '@azure/service-bus: sendMessages of 1',
  perCall: 1,
  start: async () => {
    const worker = await Worker.start<ServiceBusCommands>(
      new URL('./targets/service-bus.js', import.meta.url),
    )
    const { address } = await worker.ask('listen', null)
    const connection = `Endpoint=sb://my-namespace.servicebus.windows.net/;${KEYS}`
    const settings = { config: { name: NAME }, credentials: { connection_string: connection } }
    return {
      info: { settings, endpoints: { azure_servicebus: `amqp://${address}` }, address },
      stop: () => worker.stop(),
    }
  },
  openBare: async (address): Promise<BareClient> => {
    const { ServiceBusClient } = await import('@azure/service-bus')
    const client = new ServiceBusClient(`Endpoint=sb://${address}/;${KEYS};UseDevelopmentEmulator=true`)
    const sender = client.createSender(NAME)
    return {
      send: async ([sample]) => {
        if (!sample) return
        const { meta, payload } = sample.event
        await sender.sendMessages({
          body: payload,
          messageId: meta.id,
          contentType: meta.contentType,
          applicationProperties: metadataOf(sample),
        })
      },
      close: () => client.close(),
    }
  },
}

const [FROM, TO] = ['events@example.com', 'alerts@example.com']
/** As many as our sender opens. */
const MAIL_CONNECTIONS = 5

const email: BenchType = {
  type: 'email',
  bareDoes: 'nodemailer: text and HTML, no TLS',
  perCall: 1,
  start: async () => {
    const worker = await Worker.start<MailServerCommands>(
      new URL('./targets/mail-server.js', import.meta.url),
    )
    const { address } = await worker.ask('listen', null)
    const config = { server: address, tls: 'none', from: FROM, to: TO }
    return {
      info: { settings: { config, credentials: {} }, endpoints: {}, address },
      stop: () => worker.stop(),
    }
  },
  openBare: async (address): Promise<BareClient> => {
    const { createTransport } = await import('nodemailer')
    const [host = '', port] = address.split(':')
    const transport = createTransport({
      pool: true,
      host,
      port: Number(port),
      ignoreTLS: true,
      maxConnections: MAIL_CONNECTIONS,
    })
    return {
      send: async ([sample]) => {
        if (!sample) return
        const { meta, payload } = sample.event
        const text = `${meta.topic}\n${meta.id} ${meta.time}\n${payload.toString()}`
        await transport.sendMail({
          from: FROM,
          to: TO,
          subject: `${meta.topic} ${meta.id}`,
          text,
          html: `<html><body><div>${text}</div></body></html>`,
          headers: Object.fromEntries(
            Object.entries(metadataOf(sample)).map(([name, value]) => [`X-Bench-${name}`, value]),
          ),
        })
      },
      close: () => Promise.resolve(transport.close()),
    }
  },
}

export const otherTypes: readonly BenchType[] = [pubsub, serviceBus, email]
