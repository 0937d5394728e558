import { describe, expect, it } from '@jest/globals'
import { Gate } from './gate.js'

describe('Gate', () => {
  it('lets in what fits, and the others in their order when there is room', async () => {
    const gate = new Gate(10)
    const entered: string[] = []
    const enter = (name: string, weight: number) => {
      const turn = gate.enter(weight)
      if (turn) void turn.then(() => entered.push(name))
      else entered.push(name)
    }
    enter('a', 6)
    enter('b', 4)
    enter('large', 9)
    enter('small', 1)
    expect(entered).toEqual(['a', 'b'])
    gate.leave(4)
    await Promise.resolve()
    expect(entered).toEqual(['a', 'b'])
    gate.leave(6)
    await Promise.resolve()
    expect(entered).toEqual(['a', 'b', 'large', 'small'])
  })

  it('lets in alone what is larger than the gate', async () => {
    const gate = new Gate(10)
    expect(gate.enter(1)).toBeUndefined()
    const large = gate.enter(25)
    expect(large).toBeDefined()
    gate.leave(1)
    await large
    expect(gate.enter(1)).toBeDefined()
  })
})
