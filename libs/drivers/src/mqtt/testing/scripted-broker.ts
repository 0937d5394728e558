import { createServer, type AddressInfo, type Socket } from 'node:net'

/** A broker that greets with a limit, and answers to messages only when the test says so. */
export interface ScriptedBroker {
  readonly port: number
  /** Messages that have no answer yet. */
  readonly unanswered: number
  /** Answers to all of them with a reason code; true when there were any. */
  answerAll(reason: number): boolean
  stop(): Promise<void>
}

const [CONNECT, PUBLISH] = [1, 3]

/** Packets as https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html describes them. */
export async function startScriptedBroker(receiveMaximum: number): Promise<ScriptedBroker> {
  const waiting: { readonly socket: Socket; readonly id: Buffer }[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      for (let packet = next(rest); packet !== null; packet = next(rest)) {
        rest = rest.subarray(packet.end)
        if (packet.kind === CONNECT) socket.write(Buffer.from([0x20, 6, 0, 0, 3, 0x21, 0, receiveMaximum]))
        if (packet.kind === PUBLISH) waiting.push({ socket, id: idOf(packet.body) })
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get unanswered() {
      return waiting.length
    },
    answerAll: (reason) => {
      const all = waiting.splice(0)
      for (const { socket, id } of all)
        socket.write(Buffer.concat([Buffer.from([0x40, 3]), id, Buffer.from([reason])]))
      return all.length > 0
    },
    stop: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** The packet that the bytes begin with, or null when it is not there yet. */
function next(bytes: Buffer): { kind: number; body: Buffer; end: number } | null {
  let length = 0
  for (let at = 1; at < bytes.length && at <= 4; at++) {
    const byte = bytes[at] ?? 0
    length += (byte & 0x7f) * 128 ** (at - 1)
    if (byte & 0x80) continue
    const end = at + 1 + length
    return bytes.length < end ? null : { kind: (bytes[0] ?? 0) >> 4, body: bytes.subarray(at + 1, end), end }
  }
  return null
}

/** It comes after the topic. */
function idOf(body: Buffer): Buffer {
  const at = 2 + body.readUInt16BE(0)
  return body.subarray(at, at + 2)
}
