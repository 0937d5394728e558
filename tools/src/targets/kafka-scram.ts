import { once } from 'node:events'
import { connect } from 'node:net'

/** AlterUserScramCredentials, version 0: https://kafka.apache.org/protocol#The_Messages_AlterUserScramCredentials */
const API_KEY = 51
/** Of SCRAM-SHA-256 and SCRAM-SHA-512 in that request. */
const MECHANISMS = [1, 2]
const NO_TAGS = 0
/** Compact arrays and strings begin with their length plus one. */
const EMPTY_ARRAY = 1

/**
 * Removes a user's SCRAM credentials, by a listener that lets everybody do everything. The client library has no
 * request for it, and Kafka's own tool is not among the jars of a broker.
 */
export async function removeScramUser(port: number, name: string): Promise<void> {
  // A request that names a user twice is refused.
  for (const mechanism of MECHANISMS) {
    const text = Buffer.from(name)
    const deletion = [text.length + 1, ...text, mechanism, NO_TAGS]
    const answer = await ask(port, Buffer.from([1 + 1, ...deletion, EMPTY_ARRAY, NO_TAGS]))
    // Throttle time, then the array of results: user, error code, message, tags.
    const errorCode = answer.readInt16BE(4 + 1 + 1 + text.length)
    if (errorCode !== 0) throw new Error(`the broker did not remove ${name}: error ${errorCode}`)
  }
}

/** Resolves to the answer without its header. */
async function ask(port: number, body: Buffer): Promise<Buffer> {
  const header = Buffer.alloc(11)
  header.writeInt16BE(API_KEY, 0)
  header.writeInt16BE(0, 2)
  header.writeInt32BE(1, 4)
  // No client id, no tags.
  header.writeInt16BE(-1, 8)
  const size = Buffer.alloc(4)
  size.writeInt32BE(header.length + body.length)
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write(Buffer.concat([size, header, body]))
    let received = Buffer.alloc(0)
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) break
    }
    // Size, correlation id, tags.
    return received.subarray(4 + 4 + 1)
  } finally {
    socket.destroy()
  }
}
