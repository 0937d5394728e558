import { describe, expect, it } from '@jest/globals'
import { Lanes } from './lanes.js'

const never = new AbortController().signal

/** Work that ends when it is told to. */
function handDriven(log: string[], name: string) {
  let finish = (): void => undefined
  const work = (): Promise<string> =>
    new Promise((resolve) => {
      log.push(name)
      finish = () => resolve(name)
    })
  return { work, finish: () => finish() }
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('Lanes', () => {
  it('runs as many works of one lane at once as allowed, the rest in order of arrival', async () => {
    const lanes = new Lanes(2)
    const log: string[] = []
    const works = ['a', 'b', 'c', 'd'].map((name) => handDriven(log, name))
    const results = works.map(({ work }) => lanes.run('d1', never, work))
    expect(log).toEqual(['a', 'b'])
    works[1]?.finish()
    await tick()
    expect(log).toEqual(['a', 'b', 'c'])
    for (const { finish } of works) finish()
    await tick()
    works[3]?.finish()
    expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'd'])
    expect(lanes.open).toBe(0)
  })

  it('keeps lanes apart: a full one delays no other', () => {
    const lanes = new Lanes(1)
    const log: string[] = []
    void lanes.run('d1', never, handDriven(log, 'stuck').work)
    void lanes.run('d1', never, handDriven(log, 'waits').work)
    void lanes.run('d2', never, handDriven(log, 'runs').work)
    expect(log).toEqual(['stuck', 'runs'])
  })

  it('answers null for works whose turn comes after the stop, and goes on', async () => {
    const lanes = new Lanes(1)
    const log: string[] = []
    const stop = new AbortController()
    const first = handDriven(log, 'first')
    const running = lanes.run('d1', stop.signal, first.work)
    const queued = ['x', 'y'].map((name) => lanes.run('d1', stop.signal, handDriven(log, name).work))
    stop.abort()
    first.finish()
    expect(await Promise.all([running, ...queued])).toEqual(['first', null, null])
    expect(log).toEqual(['first'])
    expect(lanes.open).toBe(0)
  })

  it('goes on after a work that failed', async () => {
    const lanes = new Lanes(1)
    const failed = lanes.run('d1', never, () => Promise.reject(new Error('bug')))
    const next = lanes.run('d1', never, () => Promise.resolve('next'))
    await expect(failed).rejects.toThrow('bug')
    expect(await next).toBe('next')
  })
})
