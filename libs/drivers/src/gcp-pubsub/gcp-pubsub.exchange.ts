import {
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { reset } from './gcp-pubsub.connection.js'
import { GRPC } from './gcp-pubsub.outcome.js'

/** What a server answers to a call: a message when the status is 0. */
export interface Answer {
  /** gRPC's. */
  readonly status: number
  readonly details: string
  readonly message: Buffer
}

/** What gRPC's own clients take; Pub/Sub answers with ids, a few bytes for each message. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
/** A byte that says whether the message is compressed, and four with its length. */
const PREFIX_BYTES = 5

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md, for what stands before the server. */
const BY_HTTP_STATUS: Readonly<Record<number, number>> = {
  400: GRPC.INTERNAL,
  401: GRPC.UNAUTHENTICATED,
  403: GRPC.PERMISSION_DENIED,
  404: GRPC.UNIMPLEMENTED,
  429: GRPC.UNAVAILABLE,
  502: GRPC.UNAVAILABLE,
  503: GRPC.UNAVAILABLE,
  504: GRPC.UNAVAILABLE,
}

/**
 * One call with one message each way (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), without
 * compression. Rejects when the connection failed, or `signal` aborted, before the status came.
 */
export function exchange(
  session: ClientHttp2Session,
  request: { readonly headers: OutgoingHttpHeaders; readonly message: Buffer },
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(request.headers, { signal })
    const chunks: Buffer[] = []
    let bytes = 0
    let head: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    stream.once('response', (headers) => (head = headers))
    stream.once('trailers', (headers: IncomingHttpHeaders) => (trailers = headers))
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_ANSWER_BYTES) stream.close(constants.NGHTTP2_CANCEL)
      else chunks.push(chunk)
    })
    stream.once('error', reject)
    stream.once('close', () => {
      const answer = read(head, { ...head, ...trailers }, Buffer.concat(chunks))
      if (answer) resolve(answer)
      else reject(reset())
    })
    stream.end(framed(request.message))
  })
}

function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  frame.writeUInt8(0, 0)
  frame.writeUInt32BE(message.length, 1)
  message.copy(frame, PREFIX_BYTES)
  return frame
}

/** Null when the answer breaks off before its status. */
function read(head: IncomingHttpHeaders, last: IncomingHttpHeaders, body: Buffer): Answer | null {
  const httpStatus = Number(head[':status'])
  const status = last['grpc-status']
  if (status !== undefined)
    return { status: Number(status), details: String(last['grpc-message'] ?? ''), message: messageOf(body) }
  if (head[':status'] === undefined || httpStatus === 200) return null
  return {
    status: BY_HTTP_STATUS[httpStatus] ?? GRPC.UNKNOWN,
    details: `HTTP status ${httpStatus}`,
    message: Buffer.alloc(0),
  }
}

const messageOf = (body: Buffer): Buffer =>
  body.length < PREFIX_BYTES
    ? Buffer.alloc(0)
    : body.subarray(PREFIX_BYTES, PREFIX_BYTES + body.readUInt32BE(1))
