import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { serve } from '@barnabas/tools'

/** What a process may hold before it sends anything. */
export const LOADS = ['nothing', 'undici', 'registry', 'clients'] as const
export type Load = (typeof LOADS)[number]

export type LoadCommands = {
  load: { input: Load; output: { residentBytes: number } }
}

const SETTLE_MS = 500

/** As the senders load them. */
const clients: readonly (() => Promise<unknown>)[] = [
  () => import('@aws-sdk/client-sqs'),
  () => import('@aws-sdk/client-sns'),
  () => import('@aws-sdk/client-eventbridge'),
  () => import('@aws-sdk/client-kinesis'),
  () => import('@aws-sdk/client-s3'),
  () => import('@smithy/node-http-handler'),
  () => import('@azure/service-bus'),
  () => import('@google-cloud/pubsub'),
  () => import('google-auth-library'),
  () => import('@nats-io/transport-node'),
  () => import('@nats-io/jetstream'),
  () => import('@kafkajs/confluent-schema-registry'),
  () => import('amqplib'),
  () => import('ioredis'),
  () => import('kafkajs'),
  () => import('mqtt'),
  () => import('nodemailer'),
]

async function load(what: Load): Promise<void> {
  if (what === 'undici') await import('undici')
  if (what === 'registry' || what === 'clients') await import('@barnabas/drivers')
  if (what === 'clients') for (const client of clients) await client()
}

serve<LoadCommands>({
  load: async (what) => {
    await load(what)
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    await wait(SETTLE_MS)
    collectGarbage()
    return { residentBytes: process.memoryUsage.rss() }
  },
})
