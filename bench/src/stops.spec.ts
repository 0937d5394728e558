import { describe, expect, it } from '@jest/globals'
import { Stops } from './stops.js'

function someStops(names: readonly string[]): { stops: Stops; stopped: string[]; said: string[] } {
  const [stopped, said]: [string[], string[]] = [[], []]
  const stops = new Stops((sentence) => said.push(sentence))
  for (const name of names) {
    stops.push(() => {
      stopped.push(name)
      return name === 'stuck' ? Promise.reject(new Error('it hangs')) : Promise.resolve()
    })
  }
  return { stops, stopped, said }
}

describe('Stops', () => {
  it('stops what was started since a height, last started first, and keeps the rest', async () => {
    const { stops, stopped } = someStops(['receiver', 'kafka', 'apps'])
    await stops.downTo(1)
    expect(stopped).toEqual(['apps', 'kafka'])
    expect(stops.areAsked).toBe(false)
  })

  it('stops the rest when one cannot be stopped, and tells of it', async () => {
    const { stops, stopped, said } = someStops(['receiver', 'stuck', 'apps'])
    await stops.all()
    expect(stopped).toEqual(['apps', 'stuck', 'receiver'])
    expect(said).toEqual(['could not stop: Error: it hangs'])
  })

  it('stops each once, however often and from how many sides that is asked', async () => {
    const { stops, stopped } = someStops(['receiver', 'apps'])
    await Promise.all([stops.all(), stops.all()])
    expect(stopped).toEqual(['apps', 'receiver'])
  })
})
