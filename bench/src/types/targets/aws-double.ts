import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@barnabas/tools'

export type AwsDoubleCommands = {
  listen: { input: null; output: { url: string } }
}

/** Longer than any measurement, so that no connection is closed between two requests. */
const KEEP_ALIVE_MS = 300_000
const ID = '00000000-0000-4000-8000-000000000000'

interface SqsRequest {
  readonly Entries: readonly { readonly Id: string; readonly MessageBody: string }[]
}

/** The client checks the sums. */
const sqsAnswer = ({ Entries }: SqsRequest): object => ({
  Successful: Entries.map(({ Id, MessageBody }) => ({
    Id,
    MessageId: ID,
    MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex'),
  })),
})

/** By the name that the request's head has. */
const jsonAnswers: Readonly<Record<string, (body: never) => object>> = {
  'AmazonSQS.SendMessageBatch': sqsAnswer,
  'AWSEvents.PutEvents': ({ Entries }: { Entries: readonly unknown[] }) => ({
    FailedEntryCount: 0,
    Entries: Entries.map(() => ({ EventId: ID })),
  }),
  'Kinesis_20131202.PutRecords': ({ Records }: { Records: readonly unknown[] }) => ({
    FailedRecordCount: 0,
    Records: Records.map(() => ({ SequenceNumber: '1', ShardId: 'shardId-000000000000' })),
  }),
}

/** The entries of SNS's form have numbers from 1; ids are places from 0 on both sides. */
function snsAnswer(form: string): string {
  const count = form.split('.Message=').length - 1
  const members = Array.from(
    { length: count },
    (_, place) => `<member><Id>${place}</Id><MessageId>${ID}</MessageId></member>`,
  )
  return `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Successful>${members.join('')}</Successful><Failed/></PublishBatchResult><ResponseMetadata><RequestId>${ID}</RequestId></ResponseMetadata></PublishBatchResponse>`
}

function answerTo(headers: IncomingHttpHeaders, body: string): string {
  const target = String(headers['x-amz-target'] ?? '')
  const json = jsonAnswers[target]
  if (json) return JSON.stringify(json(JSON.parse(body) as never))
  // S3 answers objects with an empty body.
  return body.includes('Action=PublishBatch') ? snsAnswer(body) : ''
}

serve<AwsDoubleCommands>({
  /**
   * Takes everything that the bench sends to SQS, SNS, EventBridge, Kinesis and S3, and keeps nothing. The stand-in of
   * the tests takes 30 messages a second, too few to measure who sends them.
   */
  listen: () => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString()
        const contentType =
          request.headers['x-amz-target'] === undefined ? 'text/xml' : 'application/x-amz-json-1.1'
        response
          .writeHead(200, { 'content-type': contentType, etag: '"0"' })
          .end(answerTo(request.headers, body))
      })
    })
    server.keepAliveTimeout = KEEP_ALIVE_MS
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
      })
    })
  },
})
