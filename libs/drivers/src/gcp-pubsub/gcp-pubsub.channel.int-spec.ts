import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { Metadata, type StatusObject } from '@grpc/grpc-js'
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { eventually } from '@barnabas/testing'
import { testNetwork } from '../testing/test-tools.js'
import { NetworkChannel } from './gcp-pubsub.channel.js'
import { GRPC, outcomeOfStatus } from './gcp-pubsub.outcome.js'

const OK = { 'grpc-status': '0' }
const GRPC_HEAD = { ':status': 200, 'content-type': 'application/grpc' }
const framed = (text: string): Buffer => {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(text.length, 1)
  return Buffer.concat([prefix, Buffer.from(text)])
}

type Script = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void

/** As gRPC's servers answer a call with one message. */
const answer: Script = (stream) => {
  stream.respond(GRPC_HEAD, { waitForTrailers: true })
  stream.once('wantTrailers', () => stream.sendTrailers(OK))
  stream.end(framed('pong'))
}

describe('NetworkChannel', () => {
  const sessions = new Set<ServerHttp2Session>()
  let server: Http2Server
  let script: Script
  let connections = 0
  let channel: NetworkChannel

  beforeAll(async () => {
    server = createServer()
    server.on('session', (session) => {
      connections++
      sessions.add(session)
      session.on('error', () => undefined).once('close', () => sessions.delete(session))
    })
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => undefined)
      script(stream.resume(), headers)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))
  beforeEach(() => {
    script = answer
    connections = 0
    channel = new NetworkChannel({
      network: testNetwork(),
      address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
      tls: null,
      authClient: null,
      newMetadata: () => new Metadata(),
    })
  })
  afterEach(async () => {
    channel.close()
    await eventually(() => sessions.size === 0)
  })

  function call(limitMs = 10_000): Promise<StatusObject & { readonly said: string }> {
    return new Promise((resolve) => {
      const made = channel.createCall('/google.pubsub.v1.Publisher/Publish', Date.now() + limitMs)
      let said = ''
      made.start(new Metadata(), {
        onReceiveMetadata: () => undefined,
        onReceiveMessage: (message: Buffer) => (said = message.toString()),
        onReceiveStatus: (status) => resolve({ ...status, said }),
      })
      made.sendMessageWithContext({}, Buffer.from('ping'))
      made.halfClose()
    })
  }

  it('carries a message each way, many at once over one connection', async () => {
    const seen: IncomingHttpHeaders[] = []
    script = (stream, headers) => {
      seen.push(headers)
      answer(stream, headers)
    }
    const calls = await Promise.all(Array.from({ length: 50 }, () => call()))
    expect(new Set(calls.map(({ code, said }) => `${code} ${said}`))).toEqual(new Set(['0 pong']))
    expect(connections).toBe(1)
    expect(seen[0]).toMatchObject({
      ':method': 'POST',
      ':path': '/google.pubsub.v1.Publisher/Publish',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
  })

  it.each<[string, Script, number, string]>([
    [
      'has nothing but a status',
      (stream) => stream.respond({ ...GRPC_HEAD, 'grpc-status': '8' }, { endStream: true }),
      8,
      'throttled',
    ],
    [
      'is a page of a front end that is busy',
      (stream) => {
        stream.respond({ ':status': 503, 'content-type': 'text/html' })
        stream.end('<h1>busy</h1>')
      },
      GRPC.UNAVAILABLE,
      'connection_failed',
    ],
    [
      'is a page that says that there is no such thing',
      (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
      GRPC.UNIMPLEMENTED,
      'target_failed',
    ],
    [
      'ends before its status',
      (stream) => {
        stream.respond(GRPC_HEAD)
        stream.end(framed('pong'))
      },
      GRPC.UNAVAILABLE,
      'connection_reset',
    ],
    ['breaks off', (stream) => stream.session?.destroy(), GRPC.UNAVAILABLE, 'connection_reset'],
    [
      'is a refusal of the call',
      (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
      GRPC.UNAVAILABLE,
      'connection_failed',
    ],
    [
      'does not end',
      (stream) => {
        stream.respond(GRPC_HEAD)
        stream.write(Buffer.alloc(5 * 1024 * 1024))
      },
      GRPC.UNAVAILABLE,
      'connection_reset',
    ],
  ])('names the reason when the answer %s, and goes on', async (_case, bad, code, outcome) => {
    script = bad
    const status = await call()
    expect([status.code, status.said, outcomeOfStatus(status).code]).toEqual([code, '', outcome])
    script = answer
    expect(await call()).toMatchObject({ code: GRPC.OK, said: 'pong' })
  })

  it('connects anew when the server wants to be left, and ends what is under way', async () => {
    const held: ServerHttp2Stream[] = []
    script = (stream) => void held.push(stream)
    const first = call()
    await eventually(() => held.length === 1)
    script = answer
    for (const session of sessions) session.goaway()
    await eventually(async () => (await call()).said === 'pong' && connections === 2)
    for (const stream of held) answer(stream, {})
    expect(await first).toMatchObject({ code: GRPC.OK, said: 'pong' })
  })

  it('gives a connection on which a call ran out of time no more calls', async () => {
    script = () => undefined
    expect(await call(200)).toMatchObject({ code: GRPC.DEADLINE_EXCEEDED })
    script = answer
    expect(await call()).toMatchObject({ code: GRPC.OK })
    expect(connections).toBe(2)
  })

  it('ends calls that are under way when it is closed, and connects no more', async () => {
    let asked = 0
    script = () => void asked++
    const calling = call()
    await eventually(() => asked === 1)
    channel.close()
    expect(await calling).toMatchObject({ code: GRPC.UNAVAILABLE })
    expect(await call()).toMatchObject({ code: GRPC.UNAVAILABLE })
    expect(connections).toBe(1)
  })
})
