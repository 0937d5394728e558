import type { Socket } from 'node:net'

/**
 * Of one answer with all that is around its body: twice the largest body that is read anywhere, a schema or the answer
 * to 500 records. Whoever sends more means no good.
 */
const MAX_ANSWER_BYTES = 2 * 1024 * 1024

/**
 * Ends a connection on which too much comes after something was last written to it. That bounds what no limit of a
 * head or of a body counts: informational answers, reasons, and sizes and extensions of chunks. It fails with the code
 * `EMSGSIZE`.
 *
 * `event`: how its client reads it, for to listen by the other one would change that.
 */
export function limitAnswers(socket: Socket, event: 'data' | 'readable'): void {
  let writtenBytes = socket.bytesWritten
  let [readBytes, readBefore] = [socket.bytesRead, socket.bytesRead]
  socket.prependListener(event, () => {
    if (socket.bytesWritten !== writtenBytes) {
      writtenBytes = socket.bytesWritten
      readBefore = readBytes
    }
    readBytes = socket.bytesRead
    if (readBytes - readBefore > MAX_ANSWER_BYTES) socket.destroy(tooLong())
  })
}

const tooLong = (): Error =>
  Object.assign(new Error('the answer is longer than one that is read'), { code: 'EMSGSIZE' })
