import { regionOfUrls } from '../aws/endpoint.js'

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html */
export const isFifo = (queueUrl: string): boolean => new URL(queueUrl).pathname.endsWith('.fifo')

/** The queue's page for people; null for queues of other services than AWS's public ones. */
export function consoleUrl(queueUrl: string): string | null {
  const { hostname } = new URL(queueUrl)
  if (!/^sqs\.[a-z0-9-]+\.amazonaws\.com$/.test(hostname)) return null
  const region = regionOfUrls([queueUrl])
  return `https://${region}.console.aws.amazon.com/sqs/v3/home?region=${region}#/queues/${encodeURIComponent(queueUrl)}`
}
