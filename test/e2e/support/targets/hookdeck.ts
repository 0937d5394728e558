import { createHmac } from 'node:crypto'
import { startReceiver, type Received } from '@barnabas/testing'
import { byEvent, type EndTarget } from './target.js'

const SOURCE = 'src_1a2b3c'
const TOKEN = Buffer.from(`${SOURCE}:0123456789abcdef`).toString('base64')

/** A server that speaks the contract of Hookdeck's Event Gateway: verifies tokens, takes what is signed with one. */
export async function hookdeckTarget(): Promise<EndTarget> {
  const taken: [string, string][] = []
  const receiver = await startReceiver((request) => {
    if (request.method === 'GET') return answerToQuestion(request)
    if (request.path !== `/${SOURCE}` || !isSigned(request)) return { status: 401 }
    taken.push([String(request.headers['x-outpost-event-id']), request.body.toString()])
    return { status: 200 }
  })
  const url = receiver.url('')
  return {
    type: 'hookdeck',
    config: {},
    credentials: { token: TOKEN },
    endpoints: { hookdeck: url, hookdeck_api: url },
    arrivals: () => Promise.resolve(byEvent(taken)),
    stop: () => receiver.stop(),
  }
}

function answerToQuestion({ path, headers }: Received) {
  const isOurs = path === `/2025-01-01/sources/${SOURCE}/managed/verify`
  if (!isOurs || headers['x-hookdeck-source-token'] !== TOKEN) return { status: 401 }
  const body = JSON.stringify({ id: SOURCE, name: 'orders', url: `https://events.hookdeck.com/e/${SOURCE}` })
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

const isSigned = ({ headers, body }: Received): boolean =>
  headers['x-hookdeck-signature'] === `v0=${createHmac('sha256', TOKEN).update(body).digest('base64')}`
