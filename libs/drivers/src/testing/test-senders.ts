import { afterEach } from '@jest/globals'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newEventId, type EventMeta, type Outcome } from '@barnabas/domain'
import { anEventMeta } from '@barnabas/testing'
import { throwawayFolder, type TargetServer } from '@barnabas/tools'
import type { Driver, OutgoingEvent, RawSettings, Sender, SenderTools } from '../driver.js'
import { openSender } from './open-sender.js'

/** Opens senders for the tests of the block that it is called in; each is closed when its test has ended. */
export function useSenders(driver: Driver): (settings: RawSettings, tools?: SenderTools) => Sender {
  const opened: Sender[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((sender) => sender.close()))
  })
  return (settings, tools) => {
    const sender = openSender(driver, settings, tools)
    opened.push(sender)
    return sender
  }
}

/** A new event. */
export const anOutgoing = (
  meta: Partial<EventMeta> = {},
  payload: string | Buffer = '{"n":1}',
): OutgoingEvent => ({
  meta: anEventMeta({ id: newEventId(), topic: 'order.paid', ...meta }),
  payload: Buffer.from(payload),
})

/** The first attempt, never given up. */
export const send = (sender: Sender, event = anOutgoing()): Promise<Outcome> =>
  sender.send(event, { number: 1, deliveryId: 'dlv_1' }, new AbortController().signal)

/** What single tests need besides the target of their block. Goes when its test has ended, after the senders. */
export interface Extras {
  readonly servers: TargetServer[]
  /** Writes a file for each text; resolves names to paths. */
  files<Name extends string>(texts: Readonly<Record<Name, string>>): Record<Name, string>
}

/** To be called after `useSenders`, so that servers outlive the senders to them. */
export function useExtras(): Extras {
  const servers: TargetServer[] = []
  const folders: string[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop()
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })
  return {
    servers,
    files: <Name extends string>(texts: Readonly<Record<Name, string>>) => {
      const folder = throwawayFolder('test-files')
      folders.push(folder)
      const paths = Object.entries<string>(texts).map(([name, text]) => {
        writeFileSync(join(folder, name), text)
        return [name, join(folder, name)]
      })
      return Object.fromEntries(paths) as Record<Name, string>
    },
  }
}
