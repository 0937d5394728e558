import { describe, expect, it } from '@jest/globals'
import { ConnectionSlot } from './connection-slot.js'

interface Connection {
  readonly number: number
  isEnded: boolean
}

function slot(open: (number: number) => Promise<void> = () => Promise.resolve()) {
  const made: Connection[] = []
  const lose: (() => void)[] = []
  const connections = new ConnectionSlot<Connection>(
    async (lost) => {
      const connection = { number: lose.push(lost), isEnded: false }
      await open(connection.number)
      made.push(connection)
      return connection
    },
    (connection) => {
      connection.isEnded = true
      return Promise.resolve()
    },
  )
  return { connections, made, lose }
}

describe('ConnectionSlot', () => {
  it('opens one connection for all who want it', async () => {
    const { connections, made } = slot()
    const all = await Promise.all([connections.get(), connections.get()])
    expect(new Set([...all, await connections.get()]).size).toBe(1)
    expect(made).toHaveLength(1)
  })

  it('opens a new one after the old one was lost', async () => {
    const { connections, lose } = slot()
    expect((await connections.get()).number).toBe(1)
    lose[0]?.()
    expect((await connections.get()).number).toBe(2)
    lose[0]?.()
    expect((await connections.get()).number).toBe(2)
  })

  it('does not keep one that is lost before it stands', async () => {
    const { connections, lose } = slot((number) => Promise.resolve(lose[number - 2]?.()))
    const first = connections.get()
    await Promise.resolve()
    lose[0]?.()
    await first
    expect((await connections.get()).number).toBe(2)
  })

  it('tells a failure to those who waited, and tries again for the next', async () => {
    const { connections } = slot((number) =>
      number === 1 ? Promise.reject(new Error('refused')) : Promise.resolve(),
    )
    const all = await Promise.allSettled([connections.get(), connections.get()])
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect((await connections.get()).number).toBe(2)
  })

  it('ends the connection when it closes, also one that is still being opened', async () => {
    const { connections, made } = slot()
    await connections.get()
    await Promise.all([connections.close(), connections.close()])
    expect(made.map(({ isEnded }) => isEnded)).toEqual([true])

    let stand: () => void = () => undefined
    const late = slot(() => new Promise((resolve) => (stand = resolve)))
    const opening = late.connections.get()
    await Promise.resolve()
    await late.connections.close()
    stand()
    expect((await opening).isEnded).toBe(true)
  })
})
