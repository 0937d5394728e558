import { afterAll, describe, expect, it } from '@jest/globals'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { firstSystemPort, freePort, isPortFree } from './ports.js'

const folder = mkdtempSync(join(tmpdir(), 'barnabas-ports-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const listening = async (): Promise<Server> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

describe('a free port', () => {
  // Regression: a server that was given one of the system's own found it taken when it opened it, seconds later.
  it('is none that the system gives to others', async () => {
    for (let count = 0; count < 50; count++) expect(await freePort()).toBeLessThan(firstSystemPort())
  })

  it('is never given twice', async () => {
    const ports = await Promise.all(Array.from({ length: 200 }, () => freePort()))
    expect(new Set(ports).size).toBe(ports.length)
  })

  it('is the wanted one unless that is taken', async () => {
    const wanted = await freePort()
    expect(await freePort(wanted)).toBe(wanted)
    const server = await listening()
    const taken = (server.address() as AddressInfo).port
    expect(await isPortFree(taken)).toBe(false)
    expect(await freePort(taken)).not.toBe(taken)
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('the ports of the system', () => {
  it('begin where the kernel says', () => {
    const file = join(folder, 'range')
    writeFileSync(file, '40000\t60999\n')
    expect(firstSystemPort(file)).toBe(40_000)
  })

  it('begin at the default of Linux where nothing says it', () => {
    expect(firstSystemPort(join(folder, 'absent'))).toBe(32_768)
    const file = join(folder, 'empty')
    writeFileSync(file, '')
    expect(firstSystemPort(file)).toBe(32_768)
  })
})
