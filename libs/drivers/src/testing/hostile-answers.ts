import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

/** An answer that a client must get over: without memory that grows, without work that does not end. */
export interface HostileAnswer {
  /** Ends the sentence "the target answers with …". */
  readonly name: string
  /**
   * What it tells before it becomes hostile. `nothing`: no client can make anything of it. A number: that status, and
   * then a body which is none that anybody could use.
   */
  readonly tells: 'nothing' | 200 | 503
  /** `flood`: as fast as it is read. `drip`: a byte each 100 ms, or nothing more. `whole`: it ends. */
  readonly pace: 'flood' | 'drip' | 'whole'
  /** Its body stops being one of HTTP. */
  readonly isBroken?: true
  /** What is written at once; then `rest`, over and over. */
  readonly head: string | Buffer
  readonly rest?: Buffer
}

const KB = 1024
const TEN_GB = 10_000_000_000
const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`
const MUCH = Buffer.alloc(64 * KB, 'x')
/** 64 MiB in 64 kB. */
const BOMB = gzipSync(Buffer.alloc(64 * KB * KB))
/** XML's prolog, which the AWS SDK reads in time by the square of its length. */
const PROLOG = Buffer.from('<!DOCTYPE x>'.repeat((1024 * KB) / 12))

const repeated = (text: string): Buffer => Buffer.from(text.repeat(Math.ceil((64 * KB) / text.length)))
const withLength = (head: string, { length }: Buffer): string => `${head}content-length: ${length}\r\n\r\n`
const whole = (head: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(withLength(head, body)), body])
const drip = (text: string): Buffer => Buffer.from(text)

/** Every client of an HTTP API is held to all of these. */
export const HOSTILE_ANSWERS: readonly HostileAnswer[] = [
  {
    name: 'a body of 10 GB',
    tells: 200,
    pace: 'flood',
    head: `${OK}content-length: ${TEN_GB}\r\n\r\n`,
    rest: MUCH,
  },
  {
    name: 'a failure with a body of 10 GB',
    tells: 503,
    pace: 'flood',
    head: `HTTP/1.1 503 Service Unavailable\r\ncontent-length: ${TEN_GB}\r\n\r\n`,
    rest: MUCH,
  },
  {
    name: 'chunks without end',
    tells: 200,
    pace: 'flood',
    head: CHUNKED,
    rest: Buffer.concat([Buffer.from('10000\r\n'), MUCH, Buffer.from('\r\n')]),
  },
  {
    name: 'a gzip bomb',
    tells: 200,
    pace: 'whole',
    head: whole(`${OK}content-type: application/json\r\ncontent-encoding: gzip\r\n`, BOMB),
  },
  {
    name: 'content codings, 5,000 of them',
    tells: 200,
    pace: 'whole',
    // As long as a head may be.
    head: whole(`${OK}content-encoding: ${'br,'.repeat(4_999)}br\r\n`, BOMB),
  },
  {
    name: 'content codings, 5,000 of them, in a head that is too long',
    tells: 'nothing',
    pace: 'whole',
    head: whole(`${OK}content-encoding: ${'gzip, '.repeat(4_999)}gzip\r\n`, BOMB),
  },
  { name: 'a megabyte of XML without an element', tells: 200, pace: 'whole', head: whole(OK, PROLOG) },
  { name: 'headers without end', tells: 'nothing', pace: 'flood', head: OK, rest: repeated('x-more: y\r\n') },
  { name: 'one header without end', tells: 'nothing', pace: 'flood', head: `${OK}x-more: `, rest: MUCH },
  { name: 'a reason without end', tells: 'nothing', pace: 'flood', head: 'HTTP/1.1 200 ', rest: MUCH },
  {
    name: 'informational answers without end',
    tells: 'nothing',
    pace: 'flood',
    head: '',
    rest: repeated('HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n'),
  },
  {
    name: 'the size of a chunk without end',
    tells: 200,
    pace: 'flood',
    isBroken: true,
    head: CHUNKED,
    rest: repeated('0'),
  },
  {
    name: 'the extension of a chunk without end',
    tells: 200,
    pace: 'flood',
    isBroken: true,
    head: `${CHUNKED}1;a=`,
    rest: MUCH,
  },
  {
    name: 'chunks of one byte with long extensions',
    tells: 200,
    pace: 'flood',
    isBroken: true,
    head: CHUNKED,
    rest: repeated(`1;a=${'b'.repeat(8 * KB)}\r\n{\r\n`),
  },
  {
    name: 'trailers without end',
    tells: 200,
    pace: 'flood',
    isBroken: true,
    head: `${CHUNKED}1\r\n{\r\n0\r\n`,
    rest: repeated('x-more: y\r\n'),
  },
  { name: 'a byte of its head at a time', tells: 'nothing', pace: 'drip', head: OK, rest: drip('x') },
  {
    name: 'an informational answer at a time',
    tells: 'nothing',
    pace: 'drip',
    head: '',
    rest: drip('HTTP/1.1 103 Early Hints\r\n\r\n'),
  },
  {
    name: 'a byte of its body at a time',
    tells: 200,
    pace: 'drip',
    head: `${OK}content-length: 1000\r\n\r\n`,
    rest: drip('{'),
  },
  {
    name: 'a failure, and a byte of its body at a time',
    tells: 503,
    pace: 'drip',
    head: 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 1000\r\n\r\n',
    rest: drip('{'),
  },
  { name: 'a body that stops', tells: 200, pace: 'drip', head: `${OK}content-length: 9\r\n\r\n{` },
]

const DRIP_EVERY_MS = 100

/** A target on loopback that gives one of these answers to every request. */
export class HostileTarget {
  private readonly sockets = new Set<Socket>()
  /** What was taken of the answer, in bytes; what the system buffers is counted as taken. */
  takenBytes = 0
  /** Called when a request has come, and its answer begins. */
  onAnswer: () => void = () => undefined

  private constructor(
    private readonly server: Server,
    private readonly answer: HostileAnswer,
  ) {
    server.on('connection', (socket: Socket) => this.take(socket))
  }

  static async start(answer: HostileAnswer): Promise<HostileTarget> {
    const target = new HostileTarget(createServer(), answer)
    await new Promise<void>((resolve) => target.server.listen(0, '127.0.0.1', resolve))
    return target
  }

  /** Origin, without a path. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Safe to call twice. */
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private take(socket: Socket): void {
    this.sockets.add(socket)
    let isAnswering = false
    socket.on('data', (chunk: Buffer) => {
      // The requests of these tests have heads and bodies that come together.
      if (!isAnswering && chunk.includes('\r\n\r\n')) isAnswering = this.pour(socket)
    })
    socket.on('error', () => undefined)
    socket.once('close', () => this.sockets.delete(socket))
  }

  private pour(socket: Socket): true {
    const { head, rest, pace } = this.answer
    this.onAnswer()
    if (head.length > 0) socket.write(head)
    if (rest === undefined) return true
    if (pace === 'drip') {
      const timer = setInterval(() => socket.write(rest), DRIP_EVERY_MS)
      socket.once('close', () => clearInterval(timer))
      return true
    }
    const more = (error?: Error | null): void => {
      if (error) return
      this.takenBytes += rest.length
      socket.write(rest, more)
    }
    socket.write(rest, more)
    return true
  }
}
