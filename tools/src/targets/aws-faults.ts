import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An answer in place of the target's. */
export interface Fault {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that went through to the target or was answered here. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** Of the answer; 0 while there is none. */
  status: number
  /** Of the client's connection. */
  readonly remotePort: number
}

/** A proxy in front of an AWS stand-in, for the faults that the stand-in cannot have. */
export interface AwsFaults {
  readonly url: string
  readonly port: number
  readonly seen: readonly SeenRequest[]
  /** The next `count` requests get this answer; those that are signed with `accessKey` alone when it is given. */
  failNext(count: number, fault: Fault, accessKey?: string): void
  /** From now on requests are neither passed on nor answered. */
  hold(): void
  /** Ends holding; what was held is cut off. */
  release(): void
  stop(): Promise<void>
}

/** An error as services with a JSON protocol answer it. */
export const jsonFault = (status: number, type: string): Fault => ({
  status,
  body: JSON.stringify({ __type: type, message: 'made by the test' }),
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type },
})

/** An error as S3 answers it. */
export const s3Fault = (status: number, code: string): Fault => ({
  status,
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>made by the test</Message></Error>`,
  headers: { 'content-type': 'application/xml' },
})

/** An error as services with the query protocol (SNS) answer it. */
export const queryFault = (status: number, code: string): Fault => ({
  status,
  body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>made by the test</Message></Error></ErrorResponse>`,
  headers: { 'content-type': 'text/xml' },
})

interface Planned {
  left: number
  readonly fault: Fault
  readonly accessKey: string | undefined
}

/** Listens on loopback; `port` 0 for a free one. */
export async function startAwsFaults(targetPort: number, port = 0): Promise<AwsFaults> {
  const seen: SeenRequest[] = []
  const planned: Planned[] = []
  const held = new Set<ServerResponse>()
  let isHolding = false

  const server = createServer((incoming, outgoing) => {
    void collect(incoming).then((body) => {
      const { method = 'GET', url: path = '/', headers } = incoming
      const remotePort = incoming.socket.remotePort ?? 0
      const one: SeenRequest = { method, path, headers, body, status: 0, remotePort }
      seen.push(one)
      outgoing.once('finish', () => (one.status = outgoing.statusCode))
      const fault = isHolding ? undefined : takeFault(planned, headers.authorization ?? '')
      if (isHolding) held.add(outgoing)
      else if (fault) outgoing.writeHead(fault.status, fault.headers).end(fault.body)
      else passOn(one, targetPort, outgoing)
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: boundPort } = server.address() as AddressInfo
  const release = (): void => {
    isHolding = false
    for (const response of held) response.destroy()
    held.clear()
  }
  return {
    url: `http://127.0.0.1:${boundPort}`,
    port: boundPort,
    seen,
    failNext: (left, fault, accessKey) => void planned.push({ left, fault, accessKey }),
    hold: () => void (isHolding = true),
    release,
    stop: () => {
      release()
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

function takeFault(planned: Planned[], authorization: string): Fault | undefined {
  const one = planned.find(
    ({ left, accessKey }) =>
      left > 0 && (accessKey === undefined || authorization.includes(`Credential=${accessKey}/`)),
  )
  if (one) one.left--
  return one?.fault
}

async function collect(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch {
    // The client is gone; whatever is done with the part of its request, nobody will read the answer.
  }
  return Buffer.concat(chunks)
}

function passOn({ method, path, headers, body }: SeenRequest, port: number, outgoing: ServerResponse): void {
  const passed = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
    // Of the connection to the target, which closes each one.
    const { connection: _connection, ...kept } = answer.headers
    outgoing.writeHead(answer.statusCode ?? 0, kept)
    answer.pipe(outgoing)
  })
  passed.once('error', () => outgoing.destroy())
  passed.end(body)
}
