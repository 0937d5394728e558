import { createHmac } from 'node:crypto'
import { startReceiver, type Received } from '@barnabas/testing'
import { byEvent, type EndTarget } from './target.js'

const SOURCE = 'src_1a2b3c'
const tokenOf = (secret: string): string => Buffer.from(`${SOURCE}:${secret}`).toString('base64')
const TOKEN = tokenOf('0123456789abcdef')
const NEW_TOKEN = tokenOf('fedcba9876543210')

/** A server that speaks the contract of Hookdeck's Event Gateway: verifies tokens, takes what is signed with one. */
export async function hookdeckTarget(): Promise<EndTarget> {
  const taken: [string, string][] = []
  const tokens = new Set([TOKEN])
  const receiver = await startReceiver((request) => {
    if (request.method === 'GET') return answerToQuestion(request, tokens)
    if (request.path !== `/${SOURCE}` || !isSigned(request, tokens)) return { status: 401 }
    taken.push([String(request.headers['x-outpost-event-id']), request.body.toString()])
    return { status: 200 }
  })
  const url = receiver.url('')
  return {
    type: 'hookdeck',
    config: {},
    credentials: { token: TOKEN },
    endpoints: { hookdeck: url, hookdeck_api: url },
    rotate: () => {
      tokens.add(NEW_TOKEN)
      return { credentials: { token: NEW_TOKEN }, retire: () => void tokens.delete(TOKEN) }
    },
    arrivals: () => Promise.resolve(byEvent(taken)),
    stop: () => receiver.stop(),
  }
}

function answerToQuestion({ path, headers }: Received, tokens: ReadonlySet<string>) {
  const isOurs = path === `/2025-01-01/sources/${SOURCE}/managed/verify`
  if (!isOurs || !tokens.has(String(headers['x-hookdeck-source-token']))) return { status: 401 }
  const body = JSON.stringify({ id: SOURCE, name: 'orders', url: `https://events.hookdeck.com/e/${SOURCE}` })
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

const isSigned = ({ headers, body }: Received, tokens: ReadonlySet<string>): boolean =>
  [...tokens].some(
    (token) =>
      headers['x-hookdeck-signature'] === `v0=${createHmac('sha256', token).update(body).digest('base64')}`,
  )
