import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'

const TYPES = { A: 1, CNAME: 5, AAAA: 28 } as const
const HEADER_BYTES = 12
/** Response, recursion desired and available. */
const ANSWER_FLAGS = 0x8180
const NAME_ERROR = 3
const CLASS_INTERNET = 1

export interface Question {
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'other'
}

/** Addresses and, first, the name that they are of when it is another one. */
export interface Names {
  readonly addresses: readonly string[]
  readonly alias?: string
}

/** What is answered; null: no such name; `'silence'`: nothing. */
export type NameScript = (question: Question, count: number) => Names | 'silence' | null

/** A name server on loopback (RFC 1035, UDP alone) that answers by a script. Nothing may be kept of its answers. */
export class NameServer {
  readonly asked: Question[] = []
  private script: NameScript = () => null

  private constructor(private readonly socket: Socket) {
    socket.on('message', (message, from) => this.answer(message, from))
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    return new NameServer(socket)
  }

  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`
  }

  /** `count` is how often the same question was asked, from 1. */
  answerBy(script: NameScript): void {
    this.asked.splice(0)
    this.script = script
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(resolve))
  }

  private answer(message: Buffer, from: RemoteInfo): void {
    const { question, end } = readQuestion(message)
    this.asked.push(question)
    const count = this.asked.filter(
      ({ name, type }) => name === question.name && type === question.type,
    ).length
    const names = this.script(question, count)
    if (names === 'silence') return
    const records = names ? recordsOf(question, names) : []
    const header = Buffer.alloc(HEADER_BYTES)
    message.copy(header, 0, 0, 2)
    header.writeUInt16BE(ANSWER_FLAGS | (names ? 0 : NAME_ERROR), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    const answer = Buffer.concat([header, message.subarray(HEADER_BYTES, end), ...records])
    this.socket.send(answer, from.port, from.address)
  }
}

function readQuestion(message: Buffer): { readonly question: Question; readonly end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const code = message.readUInt16BE(at + 1)
  const type = code === TYPES.A ? 'A' : code === TYPES.AAAA ? 'AAAA' : 'other'
  return { question: { name: labels.join('.').toLowerCase(), type }, end: at + 5 }
}

function recordsOf({ name, type }: Question, { addresses, alias }: Names): Buffer[] {
  const owner = alias ?? name
  const fit = addresses.filter((address) => type === (isIPv6(address) ? 'AAAA' : 'A'))
  return [
    ...(alias === undefined ? [] : [record(name, TYPES.CNAME, encodeName(alias))]),
    ...fit.map((address) => record(owner, TYPES[isIPv6(address) ? 'AAAA' : 'A'], encodeAddress(address))),
  ]
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fields = Buffer.alloc(10)
  fields.writeUInt16BE(type, 0)
  fields.writeUInt16BE(CLASS_INTERNET, 2)
  fields.writeUInt16BE(data.length, 8)
  return Buffer.concat([encodeName(name), fields, data])
}

const encodeName = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ])

function encodeAddress(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  // The parser of URLs writes IPv4 inside IPv6 as groups.
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::')
  const [first = [], last = []] = groups.map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array<string>(8 - first.length - last.length).fill('0')
  const data = Buffer.alloc(16)
  ;[...first, ...zeros, ...last].forEach((group, index) => data.writeUInt16BE(parseInt(group, 16), index * 2))
  return data
}
